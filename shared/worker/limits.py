"""Limits on the work on one record: its memory, and its time without progress."""

from pathlib import Path

from shared.settings import Settings
from shared.worker.child import ChildLimits

USUAL_SECONDS = 900.0  # a stage takes seconds for a clip, and minutes for a long one on a busy machine
# A fold reports each training step and a video each frame, but what comes before and after them is silent.
SECONDS_BY_GROUP = {"trainer": 3600.0, "spotter": 3600.0}
PARENT_BYTES = 256 << 20  # for the worker beside its child
CONTAINER_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
MEMORY_FACTS = Path("/proc/meminfo")
GPU_DRIVER = Path("/dev/nvidiactl")


def choose_limits(group: str, settings: Settings) -> ChildLimits:
    """The limits of a group's work: those of the settings, else the group's time and the memory that there is."""
    seconds = settings.work_seconds or SECONDS_BY_GROUP.get(group, USUAL_SECONDS)
    return ChildLimits(seconds, settings.work_memory_bytes or _usable_memory())


def _usable_memory() -> int:
    """What the container may have, or the machine has, less the worker's own. 0 if neither can be read.

    Work that is refused memory says so in a sentence. A container that exceeds its limit is killed whole. What CUDA
    maps beside tensors is not known in advance, so there is no limit where its driver is.
    """
    if GPU_DRIVER.exists():
        return 0
    known = [size for file in CONTAINER_LIMITS if (size := _read_number(file))]
    known += [1024 * size for size in [_read_number(MEMORY_FACTS)] if size]
    return max(min(known) - PARENT_BYTES, min(known) // 2) if known else 0


def _read_number(file: Path) -> int:
    """The first number in a file. 0 if there is none: `memory.max` says "max" without a limit."""
    try:
        words = file.read_text().split()
    except OSError:
        return 0
    return next((int(word) for word in words[:2] if word.isdigit()), 0)
