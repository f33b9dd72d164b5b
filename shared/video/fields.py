"""Interlaced video: combing measured in the pixels, and whole pictures made from fields.

An interlaced frame holds two fields, its even and its odd rows, taken one after the other. What moves between them
looks like a comb. Flags of a file say where fields are, but they are often wrong, so that pixels decide.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import av
import cv2
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from shared.errors import BadData

# Measured on the 142 frames of two progressive recordings and on 70 frames woven from one of them: at most 2 combed
# pixels in any block of the former, at least 8 in 65 frames of the latter.
TOOTH = 10  # grey levels between rows, the least of a comb's tooth
BLOCK = 16  # px, side of the blocks in which combed pixels are counted
FLAGGED_PIXELS, UNFLAGGED_PIXELS = 8, 16  # combed pixels in a block: enough with the file's flag, and without it
ACROSS = 4  # times as many teeth along rows as along columns. Noise has equally many
MOST_LEFT = 0.1  # share of frames that may still be combed after the fields were separated


@dataclass(frozen=True)
class FieldMeasure:
    """What one frame shows: its flag, combed pixels in its worst block, and whether they lie along rows."""

    is_flagged: bool
    combed: int
    top_first: float  # > 0 if the even rows were taken first, by the distance of fields in neighbouring frames

    @property
    def is_combed(self) -> bool:
        return self.combed >= (FLAGGED_PIXELS if self.is_flagged else UNFLAGGED_PIXELS)


def measure_frames(frames: Iterable[VideoFrame]) -> list[FieldMeasure]:
    """The measures of a clip's frames. Teeth count only where the picture changed since the frame before.

    So the first frame has no measure of its own. It takes that of the second.
    """
    found: list[FieldMeasure] = []
    before: NDArray[np.uint8] | None = None
    for frame in frames:
        grey = np.asarray(frame.reformat(format="gray", threads=1).to_ndarray(), np.uint8)
        before = grey if before is None or before.shape != grey.shape else before
        moved = cv2.dilate(cv2.absdiff(grey, before), np.ones((3, 3), np.uint8)) > TOOTH
        rows = _find_teeth(grey) & moved
        columns = _find_teeth(np.ascontiguousarray(grey.T)).T & moved
        combed = _count_worst_block(rows) if rows.sum() > ACROSS * columns.sum() else 0
        found.append(FieldMeasure(frame.interlaced_frame, combed, _compare_orders(before, grey)))
        before = grey
    return [replace(found[0], combed=found[1].combed), *found[1:]] if len(found) > 1 else found


def choose_frames(measures: Sequence[FieldMeasure]) -> set[int]:
    """Which frames of a clip are made of fields.

    Flagged frames are if one of them is combed. Without a flag it is the stretch from the first combed frame to the
    last, so that frames between them look alike. One alone may be a pattern, and stays.
    """
    flagged = [at for at, each in enumerate(measures) if each.is_flagged]
    unflagged = [at for at, each in enumerate(measures) if not each.is_flagged and each.is_combed]
    chosen = set(flagged) if any(measures[at].is_combed for at in flagged) else set()
    if len(unflagged) > 1:
        chosen |= set(range(unflagged[0], unflagged[-1] + 1))
    return chosen


def weave_out_fields(
    frames: Iterable[VideoFrame], measures: Sequence[FieldMeasure], chosen: set[int]
) -> Iterator[VideoFrame]:
    """The frames, the chosen ones made whole by FFmpeg's filter bwdif: one for one, from the field taken first.

    The others lose a wrong flag. With it, their colour would be converted field by field.
    """
    yield from weave_frames(((frame, at in chosen) for at, frame in enumerate(frames)), is_top_first(measures, chosen))


def is_top_first(measures: Sequence[FieldMeasure], chosen: Iterable[int]) -> bool:
    """Whether the even rows of the chosen frames were taken first. The flag of the order is often wrong."""
    return sum(measures[at].top_first for at in chosen) >= 0


def weave_frames(frames: Iterable[tuple[VideoFrame, bool]], top_first: bool) -> Iterator[VideoFrame]:
    """The frames of pairs (frame, whether it is made of fields), as `weave_out_fields` gives them."""
    weave = "bwdif", f"mode=send_frame:parity={'tff' if top_first else 'bff'}:deint=all"
    run, wanted = None, None
    for frame, woven in frames:
        change = weave if woven else ("setfield", "mode=prog") if frame.interlaced_frame else None
        if run and change != wanted:
            yield from run.finish_run()
            run = None
        wanted = change
        if change:
            run = run or _FieldFilter(frame, *change)
            yield from run.push_frame(frame)
        else:
            yield frame
    if run:
        yield from run.finish_run()


class _FieldFilter:
    """A filter of FFmpeg for one unbroken run of frames."""

    def __init__(self, frame: VideoFrame, name: str, options: str) -> None:
        self._graph = Graph()
        self._graph.threads = 1
        source = self._graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        self._graph.link_nodes(source, self._graph.add(name, options), self._graph.add("buffersink")).configure()

    def push_frame(self, frame: VideoFrame) -> Iterator[VideoFrame]:
        self._graph.vpush(frame)
        yield from self._pull_frames()

    def finish_run(self) -> Iterator[VideoFrame]:
        self._graph.vpush(None)
        yield from self._pull_frames()

    def _pull_frames(self) -> Iterator[VideoFrame]:
        while True:
            try:
                yield self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return


def check_woven(name: str, measures: Sequence[FieldMeasure]) -> None:
    """Raise BadData if frames are still combed after their fields were separated."""
    left = sum(each.combed >= UNFLAGGED_PIXELS for each in measures)
    if left > MOST_LEFT * len(measures):
        raise BadData(
            f"{name}: expected whole pictures, got interlaced ones whose fields cannot be separated ({left} of "
            f"{len(measures)} frames stay combed); export the video as progressive from the original recording."
        )


def _find_teeth(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where five rows of [H,W] alternate: the middle three differ from both neighbours, in turns."""
    middle, above, below = grey[1:-1], grey[:-2], grey[2:]
    high = cv2.min(cv2.subtract(middle, above), cv2.subtract(middle, below)) > TOOTH
    low = cv2.min(cv2.subtract(above, middle), cv2.subtract(below, middle)) > TOOTH
    found = np.zeros(grey.shape, np.bool_)
    found[2:-2] = (low[:-2] & high[1:-1] & low[2:]) | (high[:-2] & low[1:-1] & high[2:])
    return found


def _count_worst_block(found: NDArray[np.bool_]) -> int:
    """The most marked pixels of [H,W] in one block."""
    counts = cv2.boxFilter(found.astype(np.uint8), cv2.CV_16U, (BLOCK, BLOCK), normalize=False)
    return int(counts.max())


def _compare_orders(before: NDArray[Any], grey: NDArray[Any]) -> float:
    """Which field of [H,W] came first. Positive: the odd rows before are nearer to the even rows now than vice versa.

    Rows are compared at one height, that of the odd ones, so that motion up or down favours neither.
    """
    odd_rows = (len(grey) - 1) // 2 * 2
    even_before, even_now = (
        cv2.addWeighted(each[0:odd_rows:2], 0.5, each[2 : odd_rows + 1 : 2], 0.5, 0) for each in (before, grey)
    )
    even_first = cv2.absdiff(before[1:odd_rows:2], even_now).mean()
    odd_first = cv2.absdiff(even_before, grey[1:odd_rows:2]).mean()
    return float(odd_first - even_first)
