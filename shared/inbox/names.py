"""Names of uploads: the dataset of an object, archives, sheets, videos and their plans, and files that are ignored."""

from functools import lru_cache
from pathlib import PurePosixPath

PLAN = "merstream.json"
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
UNREADABLE = (".rar", ".7z", ".tar.zst", ".tzst", ".zip.001", ".7z.001", ".z01")  # the last three are parts of archives
TEXT_SUFFIXES, WORKBOOK_SUFFIXES = (".csv", ".tsv", ".txt"), (".xlsx", ".xlsm")
SHEETS = (*WORKBOOK_SUFFIXES, *TEXT_SUFFIXES)
VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".mpg", ".mpeg", ".webm", ".wmv", ".m4v"})
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


def is_video(key: str) -> bool:
    """Whether an object is a video by its name."""
    return not is_junk(key) and PurePosixPath(key).suffix.lower() in VIDEO_SUFFIXES


def plan_keys(video: str) -> tuple[str, str]:
    """Where the plan of a video may be: its own, which comes first, and the one of all videos in its folder."""
    folder, slash, _ = video.rpartition("/")
    return f"{video}.{PLAN}", f"{folder}{slash}{PLAN}"


def is_plan(key: str) -> bool:
    """Whether an object is a plan by its name, of one video or of a folder."""
    return key.rpartition("/")[2] == PLAN or key.endswith(f".{PLAN}")


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


def name_fault(name: str) -> str:
    """Why nobody may upload a file under `name`, as a sentence. '' if one may.

    Stricter than `path_fault`: no listing of S3 can carry a control character.
    """
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
        return f"Expected a name without control characters, got {name!r}. Rename the file."
    fault = path_fault(name)
    return f"Expected a path below a folder, got {name[:80]!r}: {fault}. Rename the file." if fault else ""


def dataset_name_fault(name: str) -> str:
    """Why a dataset cannot have this name, as a sentence. '' if it can."""
    if path_fault(name) or "/" in name or is_junk(name):
        return f"Expected a dataset name that a folder can have and that is not hidden, got {name[:80]!r}."
    return name_fault(name)


def upload_rank(key: str) -> int:
    """The order of an upload: 0 for frames and videos, 1 for the plan, 2 for sheets and archives of a whole dataset.

    The inbox counts a dataset as complete once it finds all clips of its sheet. So the sheet comes last.
    """
    _, slash, inside = key.partition("/")
    if inside == PLAN:
        return 1
    return 2 if not slash or inside.lower().endswith(SHEETS) else 0
