"""Colour, rotation and square pixels."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from shared.video import read_video_frames
from tests.unit.shared.video import coded


def read(file: Path) -> tuple[list[NDArray[Any]], list[str]]:
    notes: list[str] = []
    return [each for _, each in read_video_frames(np.fromfile(file, np.uint8), file.name, 0, 3, notes)], notes


def turn_by(data: bytes, matrix: tuple[int, ...]) -> bytes:
    """The mp4 with another display matrix (a, b, c, d) of its only track."""
    one = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    a, b, c, d = (each << 16 for each in matrix)
    at = data.index(one, data.index(b"tkhd"))
    return data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[at + len(one) :]


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_turned_phone_gives_upright_pictures_as_opencv_gave_them(tmp_path: Path, degrees: int) -> None:
    file = coded.write(tmp_path / "v.mp4", range(4), rotation=degrees)
    shown, notes = read(file)
    capture = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG)
    assert all(np.array_equal(each, capture.read()[1]) for each in shown)
    assert [coded.number_of(np.rot90(each, -degrees // 90)) for each in shown] == [0, 1, 2, 3]
    assert notes == []


@pytest.mark.parametrize(
    ("matrix", "shown_as"),
    [
        ((-1, 0, 0, 1), lambda picture: picture[:, ::-1]),
        ((1, 0, 0, -1), lambda picture: picture[::-1]),
        ((0, 1, 1, 0), lambda picture: picture.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda picture: picture[::-1, ::-1].swapaxes(0, 1)),
    ],
)
def test_a_mirrored_picture_is_mirrored_and_told(
    tmp_path: Path, matrix: tuple[int, ...], shown_as: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    """Front cameras write such matrices. A rotation alone would show the face upside down, or left as right."""
    plain = coded.write(tmp_path / "v.mp4", range(4))
    file = tmp_path / "mirrored.mp4"
    file.write_bytes(turn_by(plain.read_bytes(), matrix))
    shown, notes = read(file)
    assert all(np.array_equal(each, shown_as(stored)) for each, stored in zip(shown, read(plain)[0], strict=True))
    assert notes == ["the file asks for a mirrored picture: it was mirrored, as players show it"]


def test_a_rotation_by_another_angle_is_told(tmp_path: Path) -> None:
    file = coded.write(tmp_path / "v.mp4", range(4), rotation=10)
    shown, notes = read(file)
    assert [coded.number_of(each) for each in shown] == [0, 1, 2, 3]
    assert notes == ["the file asks for a rotation that is no multiple of 90 degrees: it was not applied"]


@pytest.mark.parametrize(
    ("aspect", "rotation", "shape"),
    [(Fraction(16, 15), 0, (96, 171)), (Fraction(8, 9), 0, (108, 160)), (Fraction(2), 90, (320, 96))],
)
def test_pixels_become_square(tmp_path: Path, aspect: Fraction, rotation: int, shape: tuple[int, int]) -> None:
    """A circle drawn for the aspect ratio is round again."""
    picture = np.full((96, 160, 3), 30, np.uint8)
    radius = 30
    axes = (round(radius / aspect), radius) if aspect > 1 else (radius, round(radius * aspect))
    cv2.ellipse(picture, (80, 48), axes, 0, 0, 360, (220, 220, 220), -1)
    file = coded.write(
        tmp_path / "v.mp4", range(4), pictures=dict.fromkeys(range(4), picture), aspect=aspect, rotation=rotation
    )
    shown, notes = read(file)
    assert shown[0].shape[:2] == shape
    found = cv2.boundingRect((shown[0][..., 0] > 128).astype(np.uint8))
    assert abs(found[2] - found[3]) <= 2
    assert found[2] == pytest.approx(2 * radius, abs=3)
    assert notes[0].startswith(
        f"pixels of {aspect.numerator}:{aspect.denominator} were scaled to square ones: 160x96 px"
    )


def test_sizes_that_round_are_square(tmp_path: Path) -> None:
    shown, notes = read(coded.write(tmp_path / "v.mp4", range(4), aspect=Fraction(321, 320)))
    assert (shown[0].shape, notes) == ((96, 160, 3), [])


def test_ten_bits_become_eight_with_a_note(tmp_path: Path) -> None:
    shown, notes = read(coded.write(tmp_path / "v.mp4", range(4), pixels="yuv420p10le"))
    assert [coded.number_of(each) for each in shown] == [0, 1, 2, 3]
    assert notes == ["video of 10 bits: it was converted to 8 bits per colour"]


@pytest.mark.parametrize(("top", "bits"), [(1023, 10), (4095, 12), (65535, 16)])
def test_the_true_depth_of_16_bits_is_measured(tmp_path: Path, top: int, bits: int) -> None:
    """Machine vision cameras write 10 or 12 bits into 16. Their upper 8 bits would be nearly black."""
    file = tmp_path / "v.mkv"
    with av.open(str(file), "w") as target:
        stream = target.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = coded.COLUMNS, coded.ROWS, "gray16le"
        for number in range(4):
            values = coded.draw(number).mean(axis=2) / 255 * top
            target.mux(stream.encode(av.VideoFrame.from_ndarray(values.astype(np.uint16), "gray16le")))
        target.mux(stream.encode())
    shown, notes = read(file)
    assert [coded.number_of(each) for each in shown] == [0, 1, 2, 3]
    for number, each in enumerate(shown):
        assert np.abs(each - coded.draw(number).mean(axis=2)[..., None]).max() <= 1.01
    told = f"16-bit frames that hold {bits}-bit values: the upper 8 of the {bits} bits were kept; "
    assert len(notes) == 1
    assert notes[0].startswith(told if bits < 16 else "video of 16 bits: it was converted to 8 bits per colour")


def test_high_dynamic_range_becomes_the_standard_range(tmp_path: Path) -> None:
    """In perceptual quantisation (SMPTE ST 2084) white of 203 cd/m2 is coded at 58 %: it must not come out grey."""
    grey = np.full((96, 160, 3), round(0.58 * 255), np.uint8)
    options = {"x264-params": "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc", "crf": "5"}
    file = coded.write(
        tmp_path / "v.mp4", range(4), pictures=dict.fromkeys(range(4), grey), pixels="yuv420p10le", options=options
    )
    shown, notes = read(file)
    assert "high dynamic range was converted to the standard range (BT.709)" in notes
    assert shown[0].mean() > 160
