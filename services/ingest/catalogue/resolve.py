"""A row becomes a clip that was found, or a problem: the only place where annotation and files are checked together."""

from pathlib import Path

from services.ingest.catalogue import action_units, numbered
from services.ingest.catalogue.cells import frame_number, is_absent, rate, text
from services.ingest.catalogue.entry import Entry, Found, Kind, Problem
from shared.errors import BadData
from shared.records import Sample

VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".mpg", ".mpeg", ".webm", ".wmv", ".m4v"})


def resolve(entry: Entry, folder: Path) -> Found | Problem:
    """Never raises BadData: what is wrong with one clip must not stop the others."""
    try:
        return _found(entry, folder)
    except BadData as fault:
        return problem(entry, str(fault))


def problem(entry: Entry, sentence: str) -> Problem:
    return Problem(entry.dataset, entry.subject, entry.clip, sentence)


def _found(entry: Entry, folder: Path) -> Found:
    _check_identity(entry)
    onset, offset = _span(entry)
    apex, apex_notes = _apex(entry, onset, offset)
    kind, files, numbers, file_notes = _files(entry, folder, onset, offset)
    aus, remark = action_units.parse(text(entry.aus))
    sample = Sample(
        dataset=entry.dataset,
        subject=entry.subject,
        clip=entry.clip,
        emotion=None if is_absent(entry.emotion) else text(entry.emotion).lower(),
        aus=aus,
        onset=onset,
        apex=apex,
        offset=offset,
        fps=rate(entry.fps, "fps", entry.where),
    )
    labels = (f"{entry.where}: {remark}",) if remark else ()
    return Found(sample, files, numbers, kind, entry.cropped, apex_notes + file_notes, labels)


def _check_identity(entry: Entry) -> None:
    for name in ("dataset", "subject", "clip"):
        if not getattr(entry, name):
            raise BadData(f"{entry.where}: expected a {name}, got an empty cell; fill it in or delete the row.")


def _span(entry: Entry) -> tuple[int, int]:
    onset = frame_number(entry.onset, "the onset", entry.where)
    offset = frame_number(entry.offset, "the offset", entry.where)
    if onset > offset:
        raise BadData(
            f"{entry.where}: expected onset before offset, got onset {onset} and offset {offset}; correct the cells."
        )
    if onset == offset:
        raise BadData(
            f"{entry.where}: expected a clip of two frames or more, got one (onset = offset = {onset}); "
            "correct the cells."
        )
    return onset, offset


def _apex(entry: Entry, onset: int, offset: int) -> tuple[int | None, tuple[str, ...]]:
    """The coded apex; one outside the clip counts as not coded, which is noted."""
    if is_absent(entry.apex):
        return None, ()
    apex = frame_number(entry.apex, "the apex", entry.where)
    if onset <= apex <= offset:
        return apex, ()
    return None, (f"the coded apex {apex} lies outside onset {onset} to offset {offset} and was treated as absent",)


def _files(
    entry: Entry, folder: Path, onset: int, offset: int
) -> tuple[Kind, tuple[Path, ...], tuple[int, ...], tuple[str, ...]]:
    shown = _inside(entry, folder)
    if entry.place.is_dir():
        files, notes = numbered.between(entry.place, onset, offset, entry.where)
        return "frames", files, tuple(range(onset, offset + 1)), notes
    if not entry.place.is_file():
        raise BadData(f"{entry.where}: expected the clip at {shown}, got nothing there; copy it or correct the row.")
    if entry.place.suffix.lower() not in VIDEOS:
        kinds = " ".join(sorted(VIDEOS))
        raise BadData(
            f"{entry.where}: expected a folder of frames or a video ({kinds}), got {shown}; convert the file."
        )
    return "video", (entry.place,), (0,), ()


def _inside(entry: Entry, folder: Path) -> Path:
    """The clip's path within the dataset: a sheet must not make us read other files of the machine."""
    inside = entry.place.is_relative_to(folder) and entry.place.relative_to(folder)
    if not inside or inside == Path() or ".." in inside.parts:
        raise BadData(
            f"{entry.where}: expected a path inside the dataset, got {str(entry.place)!r}; move the clip there and "
            "write its path relative to the sheet."
        )
    return inside
