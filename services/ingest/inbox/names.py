"""Names in the inbox: the dataset of an object, files that are ignored, and archives."""

from functools import lru_cache
from pathlib import PurePosixPath

PLAN = "merstream.json"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
UNREADABLE = (".rar", ".7z", ".tar.zst", ".tzst", ".zip.001", ".7z.001", ".z01")  # the last three are parts of archives
LONGEST_PART, LONGEST_PATH = 255, 1024  # bytes of a name on common file systems, bytes of an S3 key

_JUNK = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx"}


def dataset_and_path(key: str) -> tuple[str, str] | None:
    """(dataset, path inside it) of an object, or None for an object of no dataset.

    `CASME2/a/b.jpg` -> ("CASME2", "a/b.jpg"). An archive at the top is a dataset: `CASME2.zip` -> ("CASME2",
    "CASME2.zip"). Junk, markers of empty folders and other files at the top belong to no dataset.
    """
    if is_junk(key) or key.endswith("/"):
        return None
    dataset, slash, inside = key.partition("/")
    if slash:
        return dataset, inside
    return (archive_stem(key), key) if is_archive(key) or is_unreadable(key) else None


def is_junk(path: str) -> bool:
    """Whether a file is hidden, or a leftover of an operating system or an office program."""
    folder, _, name = path.rpartition("/")
    return _is_junk_name(name) or _is_junk_folder(folder)


@lru_cache(1024)  # the objects of a folder come one after another
def _is_junk_folder(folder: str) -> bool:
    return any(map(_is_junk_name, folder.split("/")))


def _is_junk_name(name: str) -> bool:
    return name.startswith((".", "~$")) or name.lower() in _JUNK


def is_archive(path: str) -> bool:
    return bool(archive_stem(path)) and path.lower().endswith(ARCHIVES)


def is_unreadable(path: str) -> bool:
    """Whether it is an archive of a kind that is not unpacked."""
    return path.lower().endswith(UNREADABLE)


def is_misnamed_plan(path: str) -> bool:
    """Whether a file is a plan under a name that is not read: other case, or a hidden second suffix."""
    return path != PLAN and path.casefold().removesuffix(".txt") == PLAN


def archive_stem(path: str) -> str:
    """An archive's name without folders and suffix."""
    name = PurePosixPath(path).name
    suffixes = [suffix for suffix in (*ARCHIVES, *UNREADABLE) if name.lower().endswith(suffix)]
    return name[: -max(map(len, suffixes))] if suffixes else name


def path_fault(path: str) -> str:
    """Why `path` cannot be a file below a folder. '' if it can."""
    try:
        encoded = path.encode()
    except UnicodeEncodeError:
        return "a name that is no Unicode text"
    if len(encoded) > LONGEST_PATH or any(len(part.encode()) > LONGEST_PART for part in path.split("/")):
        return f"a name of over {LONGEST_PART} bytes or a path of over {LONGEST_PATH}"
    if "\0" in path or not all(part.strip(".") for part in path.split("/")):
        return "a path with an empty part, '.', '..' or a NUL"
    return ""
