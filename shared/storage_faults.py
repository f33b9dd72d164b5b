"""Faults of disks and folders that time does not repair: full, read-only, not permitted, a file in the way.

A service retries them like any other trouble, since an operator repairs its disk while it waits. A command in a
terminal ends with a sentence, and the same command continues later.
"""

import errno
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import StorageRefused

CONTINUES = "The same command continues where it stopped."

_FREE_SPACE = f"Free space there. {CONTINUES}"
_CHOOSE_FOLDER = "Correct its permissions or choose another folder."
_CHECK_PATH = "Check the path or choose another one."
_DAMAGED = "Its bus.sqlite is damaged", "Delete the folder or choose another one with --out."
_ADVICE = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EFBIG: f"Raise the limit on the size of files (`ulimit -f`). {CONTINUES}",
    errno.EROFS: "Choose a folder that can be written.",
    errno.EACCES: _CHOOSE_FOLDER,
    errno.EPERM: _CHOOSE_FOLDER,
    errno.ENAMETOOLONG: "Shorten the names.",
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "A file is where a folder is needed: choose another path."),
    **dict.fromkeys((errno.ENOENT, errno.EISDIR, errno.ELOOP), _CHECK_PATH),
    **dict.fromkeys((errno.ENODEV, errno.ENXIO), f"Connect the disk again. {CONTINUES}"),
}
_SQLITE_REASONS = {
    sqlite3.SQLITE_FULL: (os.strerror(errno.ENOSPC), _FREE_SPACE),
    sqlite3.SQLITE_READONLY: ("Its bus.sqlite cannot be written", _CHOOSE_FOLDER),
    sqlite3.SQLITE_CANTOPEN: ("Its bus.sqlite cannot be opened", _CHOOSE_FOLDER),
    sqlite3.SQLITE_IOERR: ("Its bus.sqlite cannot be written", f"Check the disk and its limits. {CONTINUES}"),
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
}


def is_lasting_fault(error: BaseException) -> bool:
    """Whether a disk or folder refuses for good, so that another attempt in a moment is useless."""
    return bool(_reason_and_advice(error))


def describe_storage_fault(error: BaseException) -> str:
    """One sentence on a lasting fault and one on what to do: which file, the system's reason, the way out."""
    reason, advice = _reason_and_advice(error) or (str(error), _CHECK_PATH)
    file = getattr(error, "filename", None)
    place = f"{os.fsdecode(file)}: " if isinstance(file, str | bytes) else ""
    return f"{place}{reason}. {advice}"


@contextmanager
def stop_on_storage_fault(folder: Path) -> Iterator[None]:
    """Turn a lasting fault into StorageRefused. `folder` is named if the error names no file."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if not is_lasting_fault(error):
            raise
        sentence = describe_storage_fault(error)
        named = getattr(error, "filename", None) is not None
        raise StorageRefused(sentence if named else f"{folder}: {sentence}") from None


def require_writable_folder(folder: Path) -> None:
    """Create the folder unless it exists, and write to it. Modes alone tell little: root passes them.

    Raises StorageRefused.
    """
    with stop_on_storage_fault(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"probe")
        except OSError as error:
            error.filename = str(folder)
            raise


def require_writable_file(file: Path) -> None:
    """Check that the file can be written in place of an earlier one. Its content stays. Raises StorageRefused."""
    require_writable_folder(file.parent)
    with stop_on_storage_fault(file):
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))


def _reason_and_advice(error: BaseException) -> tuple[str, str] | None:
    if isinstance(error, OSError):
        number = error.errno or 0
        return (os.strerror(number), _ADVICE[number]) if number in _ADVICE else None
    if isinstance(error, sqlite3.Error):
        return _SQLITE_REASONS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return None
