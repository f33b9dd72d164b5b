"""From decoded frames to pixels: colour, rotation, square pixels."""

from fractions import Fraction
from typing import Any, cast

import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorTrc, Interpolation, VideoReformatter
from numpy.typing import NDArray

from shared.images.decoding import to_rgb
from shared.images.depth import FULL, Depth

HIGH_DYNAMIC_RANGE = frozenset({ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67})
# Machine vision cameras write 10, 12 or 14 bits into these.
DEEP_FORMATS = frozenset({"gray16le", "gray16be", "rgb48le", "rgb48be", "bgr48le", "bgr48be", "gbrp16le", "gbrp16be"})
SQUARE_TOLERANCE = 0.01  # an aspect ratio nearer to 1 comes from the rounding of sizes


def is_square(aspect: Fraction) -> bool:
    """Whether pixels of this width over height are square."""
    return abs(aspect - 1) < SQUARE_TOLERANCE


def read_turn(frame: VideoFrame) -> tuple[float, ...]:
    """(a, b, c, d) of the file's display matrix: the picture's point (x, y) is shown at (ax + cy, bx + dy).

    ISO/IEC 14496-12, 6.2.2: numbers of 32 bits, 16 of them after the point.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return 1.0, 0.0, 0.0, 1.0
    a, b, _, c, d = (np.frombuffer(bytes(cast(SideData, matrix))[:20], np.int32) / (1 << 16)).round(2).tolist()
    return a, b, c, d


def read_deep_values(frame: VideoFrame) -> NDArray[np.uint16]:
    """Values [H,W] or [H,W,3] (blue, green, red) of a frame in one of `DEEP_FORMATS`."""
    grey = len(frame.format.components) == 1
    return np.asarray(frame.to_ndarray(format="gray16le" if grey else "bgr48le"), np.uint16)


class PictureMaker:
    """Turns the decoded frames of one video into pixels. `notes` says what was changed.

    `depth` is the true depth of frames of 16 bits, which `measure_depth` finds.
    """

    depth: Depth | None = None

    def __init__(self, aspect: Fraction, notes: list[str]) -> None:
        """`aspect`: width of a pixel over its height."""
        self.aspect, self.notes = aspect, notes
        self._reformatter = VideoReformatter()

    def make_picture(self, frame: VideoFrame) -> NDArray[Any]:
        """Pixels [H,W,3] uint8 (blue, green, red) of a frame, upright and square.

        The conversion is OpenCV's: swscale with bicubic chroma. Equal frames give the bytes that OpenCV gives.
        """
        pixels = self._convert_colour(frame)
        if not is_square(self.aspect):
            pixels = self._square_pixels(pixels)
        return self._turn_upright(pixels, frame)

    def _convert_colour(self, frame: VideoFrame) -> NDArray[Any]:
        if self.depth and self.depth.bits < FULL:
            self.note_once(self.depth.note)
            return to_rgb(read_deep_values(frame), self.depth.bits)[..., ::-1]
        target: dict[str, Any] = {}
        if frame.color_trc in HIGH_DYNAMIC_RANGE:
            target = {"dst_color_trc": ColorTrc.BT709, "dst_color_primaries": ColorPrimaries.BT709}
            self.note_once("high dynamic range was converted to the standard range (BT.709)")
        if (depth := max(part.bits for part in frame.format.components) - 8) and depth > 0:
            self.note_once(f"video of {depth + 8} bits: it was converted to 8 bits per colour")
        converted = self._reformatter.reformat(
            frame, format="bgr24", interpolation=Interpolation.BICUBIC, threads=1, **target
        )
        return converted.to_ndarray()

    def _turn_upright(self, pixels: NDArray[Any], frame: VideoFrame) -> NDArray[Any]:
        """Pixels [H,W,3] turned and mirrored as the file's display matrix says. Other angles are told, not applied."""
        a, b, c, d = read_turn(frame)
        if {abs(a), abs(b)} != {0.0, 1.0} or (abs(a), abs(b)) != (abs(d), abs(c)):
            self.note_once("the file asks for a rotation that is no multiple of 90 degrees: it was not applied")
            return pixels
        if a * d < b * c:
            self.note_once("the file asks for a mirrored picture: it was mirrored, as players show it")
        across, down = (c, b) if b else (a, d)
        pixels = pixels.swapaxes(0, 1) if b else pixels
        return np.ascontiguousarray(pixels[:: int(down), :: int(across)])

    def _square_pixels(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Pixels [H,W,3] scaled up along one side, so that none is lost."""
        rows, columns = pixels.shape[:2]
        wide = self.aspect > 1
        size = (round(columns * self.aspect), rows) if wide else (columns, round(rows / self.aspect))
        self.note_once(
            f"pixels of {self.aspect.numerator}:{self.aspect.denominator} were scaled to square ones: "
            f"{columns}x{rows} px became {size[0]}x{size[1]}"
        )
        return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC))

    def note_once(self, note: str) -> None:
        """Add a note, unless it is there already."""
        if note not in self.notes:
            self.notes.append(note)
