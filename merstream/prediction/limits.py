"""What a recording does not allow: refused, or said."""

from merstream.prediction.model import VideoFacts
from shared.errors import BadData

LEAST_RATE = 20.0  # frames/s. Below, a micro-expression of 0.2 s has at most four frames
COARSE_RATE = 50.0  # frames/s below which a micro-expression has few frames between onset and apex
LEAST_SECONDS = 0.3


def refuse_slow_recording(video: VideoFacts, force: bool) -> None:
    """Raises BadData for a recording with too few frames per second, unless it is forced."""
    if video.fps < LEAST_RATE and not force:
        raise BadData(
            f"{video.name}: expected {LEAST_RATE:g} frames per second or more, got {video.fps:.4g}: a micro-expression "
            "lasts 0.04 to 0.5 s and falls between its frames. Record it faster, correct --fps, or use --force for "
            "expressions that last longer."
        )


def describe_limits(video: VideoFacts, face_count: int) -> tuple[str, ...]:
    """Sentences on what cannot be said of a recording."""
    remarks = []
    if video.fps < LEAST_RATE:
        remarks.append(
            f"The recording has {video.fps:.4g} frames per second. Micro-expressions cannot be seen in it; longer "
            "expressions can."
        )
    elif video.fps < COARSE_RATE:
        remarks.append(
            f"The recording has {video.fps:.4g} frames per second. Micro-expressions are found coarsely: one of 0.2 s "
            f"has {max(round(0.2 * video.fps), 1)} frames. Research uses 100 to 200."
        )
    if video.variable_rate:
        remarks.append("The frames come at uneven times. Every frame keeps its own time.")
    if not face_count:
        remarks.append("No face was seen for long enough to spot an expression.")
    return tuple(remarks)
