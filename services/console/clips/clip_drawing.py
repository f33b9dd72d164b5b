"""Drawing of a clip's pictures. Only the frames and flows that a picture shows are in memory."""

from typing import Any

import cv2
import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray

from services.console.clips.artifact_reader import TIMING, ArtifactReader, check_part_size, read_factor
from shared.images.clip_pictures import (
    add_title,
    draw_flow_arrows,
    draw_roi_motion,
    encode_jpeg,
    full_flow_scale,
    join_row,
    sum_flow_to_apex,
)
from shared.images.flow_colour import Picture, colour_flow, draw_colour_wheel
from shared.records import Record
from shared.stage import Arrays
from shared.store.npz import ArrayFile

CELL_WIDTH = 160  # px of a frame in a strip
MOST_CELLS = 24  # of a strip; of a longer clip, these are spread evenly
WHEEL_SIZE = 96  # px


def draw_kind(artifacts: ArtifactReader, record: Record, kind: str, factor: int) -> bytes:
    """A JPEG of one of `clip_pictures.PICTURE_KINDS`. Raises as `ClipDrawer.draw_picture`, BadData and ValueError."""
    source = PictureSource(artifacts, record)
    plain = {"original": source.draw_original, "interpolated": source.draw_interpolated}
    magnified = {
        "magnified": source.draw_magnified,
        "flow": source.draw_flow,
        "arrows": source.draw_arrows,
        "rois": source.draw_rois,
    }
    return encode_jpeg(plain[kind]() if kind in plain else magnified[kind](factor))


class PictureSource:
    """The artifacts of one clip, and the pictures of them."""

    def __init__(self, artifacts: ArtifactReader, record: Record) -> None:
        self.artifacts, self.record = artifacts, record

    def draw_original(self) -> Picture:
        with self._open("ingest") as arrays:
            marks = {name: int(arrays.read_rows(name)) for name in ("onset", "apex", "offset")}
            titles = {at: name for name, at in marks.items()}
            chosen = choose_cells(arrays.shapes["frames"][0], set(marks.values()))
            return join_row([_draw_cell(arrays, at, f"{titles.get(at, '')} {at}".strip()) for at in chosen])

    def draw_interpolated(self) -> Picture:
        with self._open("interpolator") as arrays:
            positions = arrays.read_rows("positions")
            chosen = choose_cells(len(positions), set())
            return join_row([_draw_cell(arrays, at, f"{positions[at]:.2f}") for at in chosen])

    def draw_magnified(self, factor: int) -> Picture:
        with self._open("magnifier") as arrays:
            frames = _read_factor(arrays, "frames", factor)
            chosen = choose_cells(len(frames), set())
            return join_row([add_title(_fit_frame(frames[at]), f"frame {at}") for at in chosen])

    def draw_flow(self, factor: int) -> Picture:
        with self._open("flow") as arrays:
            flows = _read_factor(arrays, "flows", factor).astype(np.float32)
        full = full_flow_scale(flows)
        coloured = [_fit_frame(colour_flow(pair, full)) for pair in flows[:MOST_CELLS]]
        cells = [add_title(picture, f"pair {at}") for at, picture in enumerate(coloured)]
        key = np.full_like(cells[0][:, :CELL_WIDTH], 255)
        wheel = add_title(draw_colour_wheel(WHEEL_SIZE), f"{full:.2f} px")
        key[: wheel.shape[0], : wheel.shape[1]] = wheel[: key.shape[0]]
        return join_row([*cells, key])

    def draw_arrows(self, factor: int) -> Picture:
        shown, flow = self._read_shown(), self._read_flow(factor)
        picture, longer = draw_flow_arrows(shown["frames"][0], sum_flow_to_apex(shown, flow))
        return add_title(picture, f"motion x{longer:g}")

    def draw_rois(self, factor: int) -> Picture:
        with self._open("roi-au") as arrays:
            features = {"landmarks": arrays.read_rows("landmarks")}
        return draw_roi_motion(self._read_shown(), self._read_flow(factor), features)

    def _open(self, stage: str) -> Any:
        if stage not in self.record.artifacts:
            raise HTTPException(404, f"{self.record.sample.identity} has no artifact of {stage}.")
        return self.artifacts.open_arrays(self.record.artifacts[stage])

    def _read_shown(self) -> Arrays:
        """The interpolator's timing and its first frame alone."""
        with self._open("interpolator") as arrays:
            timing = {name: arrays.read_rows(name) for name in TIMING if name in arrays}
            return timing | {"frames": _read_part(arrays, "frames", 0)}

    def _read_flow(self, factor: int) -> Arrays:
        """The flow's artifact with one of its factors."""
        with self._open("flow") as arrays:
            return read_factor(arrays, "flows", factor)


def choose_cells(count: int, always: set[int]) -> list[int]:
    """At most about MOST_CELLS of `count` frames, spread evenly, with those that are `always` shown."""
    spread = np.unique(np.linspace(0, count - 1, min(count, MOST_CELLS)).round().astype(int)).tolist()
    return sorted({*spread, *(at for at in always if 0 <= at < count)})


def _draw_cell(arrays: ArrayFile, index: int, title: str) -> Picture:
    return add_title(_fit_frame(_read_part(arrays, "frames", index)[0]), title)


def _fit_frame(frame: NDArray[Any]) -> Picture:
    """A frame [H, W, 3] at the width of a cell."""
    height = max(1, round(frame.shape[0] * CELL_WIDTH / frame.shape[1]))
    method = cv2.INTER_AREA if frame.shape[1] > CELL_WIDTH else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(frame, (CELL_WIDTH, height), interpolation=method), np.uint8)


def _read_factor(arrays: ArrayFile, name: str, factor: int) -> NDArray[Any]:
    return np.asarray(_read_part(arrays, name, factor)[0])


def _read_part(arrays: ArrayFile, name: str, index: int) -> NDArray[Any]:
    """One row [1, ...] of an array, if it is not too large for a page."""
    check_part_size(f"A row of {name} in {arrays.label}", arrays.count_row_bytes(name))
    return np.asarray(arrays.read_rows(name, index, index + 1))
