"""The positions of the frames that the method shows. Positions are in frames of the clip and may be fractions."""

from collections.abc import Sequence


def positions(onset: int, apex: int, offset: int, frames: int) -> list[float]:
    """The paper's rule: nearly all frames from onset to apex, one half-way back (more than 5 frames only), the offset.

    Frames are spread evenly if the apex is at the offset or there is no room for a frame on either side of it. Returns
    `frames` positions, the first at the onset, the last at the offset. Raises ValueError for fewer than two frames.
    """
    if apex == offset or frames < 3:
        return uniform_positions(onset, offset, frames)
    if frames <= 5:
        return [*_even_steps(onset, apex, frames - 1), float(offset)]
    return [*_even_steps(onset, apex, frames - 2), apex + (offset - apex) / 2, float(offset)]


def frame_positions(rule: str, onset: int, apex: int, offset: int, frames: int) -> list[float]:
    """Positions by rule: `uniform_positions` for "uniform", `positions` for "apex"."""
    if rule == "uniform":
        return uniform_positions(onset, offset, frames)
    return positions(onset, apex, offset, frames)


def uniform_positions(onset: int, offset: int, frames: int) -> list[float]:
    """`frames` positions evenly from onset to offset, both included. Raises ValueError for fewer than two frames."""
    if frames < 2:
        raise ValueError(f"A timeline runs from onset to offset: expected at least 2 frames, got {frames}.")
    return _even_steps(onset, offset, frames)


def shown_frame_rate(shown_positions: Sequence[float], fps: float) -> float:
    """Frame rate in Hz of frames at these positions of a clip recorded with `fps` Hz; the mean rate if uneven."""
    return fps * (len(shown_positions) - 1) / (shown_positions[-1] - shown_positions[0])


def _even_steps(first: int, last: int, frames: int) -> list[float]:
    """`frames` values from first to last, both ends exact; one frame alone is the first."""
    return [first + step * (last - first) / max(frames - 1, 1) for step in range(frames)]
