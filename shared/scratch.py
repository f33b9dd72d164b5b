"""The scratch folder of a process. The next process finds it again, with what is kept there."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from shared.errors import Misconfigured, Unavailable
from shared.records import json_digest
from shared.settings import Settings

SLOTS = 1000
SPARE_BYTES = 64 << 20  # that stay free for everybody else on the disk


def require_free_bytes(folder: Path, size: int, name: str) -> None:
    """Raise Unavailable if `size` bytes of `name` do not fit on the disk of `folder`. They are tried again later."""
    free = max(0, shutil.disk_usage(folder).free - SPARE_BYTES)
    if size > free:
        raise Unavailable(
            f"{name}: expected {-(-size >> 20)} MiB of free space in {folder}, got {free >> 20} MiB beside a reserve "
            f"of {SPARE_BYTES >> 20} MiB. Free space there, or set MER_SCRATCH to a folder on a larger disk. "
            "It is tried again until then."
        )


class ScratchFolder:
    """`work` is empty at the start. `kept` is as an earlier process left it. The lock ends with the process.

    `service` names the folder. Processes with another bucket have other folders.
    """

    def __init__(self, settings: Settings, service: str, bucket: str) -> None:
        place = [settings.s3_endpoint, bucket, str(settings.home.resolve())]
        self._lock, folder = _free_slot(_scratch_root(settings) / f"{service}-{json_digest(place)[:12]}")
        self.work, self.kept = folder / "work", folder / "kept"
        shutil.rmtree(self.work, ignore_errors=True)
        for each in (self.work, self.kept):
            each.mkdir(exist_ok=True)

    def close(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self._lock.close()


def _scratch_root(settings: Settings) -> Path:
    """A folder of this user alone, inside the temporary folder if `settings` name none."""
    if settings.scratch is not None:
        return settings.scratch.absolute()
    root = Path(tempfile.gettempdir()) / f"merstream-{os.getuid()}"
    root.mkdir(mode=0o700, exist_ok=True)
    if root.is_symlink() or root.stat().st_uid != os.getuid():
        raise Misconfigured(f"{root} belongs to another user; set MER_SCRATCH to a folder of your own.")
    return root


def _free_slot(folder: Path) -> tuple[IO[str], Path]:
    """The first folder that no running process has locked, with its lock."""
    for number in range(SLOTS):
        slot = folder / str(number)
        slot.mkdir(parents=True, exist_ok=True)
        lock = (slot / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock, slot
        except BlockingIOError:
            lock.close()
    raise Misconfigured(f"{folder}: expected a free slot, got {SLOTS} that other processes hold; end some of them.")
