"""A row becomes a clip that was found, or a problem: the only place where annotation and files are checked together."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from services.ingest.catalogue import numbered
from services.ingest.catalogue.cells import frame_number, is_absent, rate, text, whole
from services.ingest.catalogue.entry import Change, Entry, Found, Kind, Problem
from shared import action_units
from shared.errors import BadData
from shared.records import Sample

VIDEOS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".mpg", ".mpeg", ".webm", ".wmv", ".m4v"})
SENTENCE = 1000  # letters; a cell may hold 32,767 of them
LONG = 1.0  # s; a micro-expression lasts half a second at most by the usual definition
Files = tuple[Kind, tuple[Path, ...], tuple[int, ...], tuple[str, ...]]


def resolve(entry: Entry, folder: Path, changes: tuple[Change, ...] = ()) -> Found | Problem:
    """Never raises BadData: what is wrong with one clip must not stop the others."""
    try:
        return replace(_found(entry, folder), changes=changes)
    except BadData as fault:
        return problem(entry, str(fault))
    except (OSError, ValueError) as error:  # a name that no file system takes
        told = getattr(error, "strerror", None) or error
        return problem(
            entry,
            f"{entry.where}: expected a clip's folder, got a name of which the system says {str(told)!r}; "
            "correct the subject and the file name.",
        )


def problem(entry: Entry, sentence: str) -> Problem:
    sentence = sentence if len(sentence) <= SENTENCE else sentence[:SENTENCE] + "..."
    return Problem(entry.dataset, entry.subject, entry.clip, sentence, entry.filename or entry.clip)


def _found(entry: Entry, folder: Path) -> Found:
    _check_identity(entry)
    entry = _counted_from_one(entry)
    onset, offset = _span(entry)
    apex, apex_notes = _apex(entry, onset, offset)
    kind, files, numbers, file_notes = _files(entry, folder, onset, offset)
    aus, remark = action_units.parse(text(entry.aus))
    sample = _sample(
        entry,
        emotion=_label(entry.emotion),
        aus=aus,
        onset=onset,
        apex=apex,
        offset=offset,
        fps=rate(entry.fps, entry.head("fps"), entry.where),
    )
    return Found(
        sample=sample,
        files=files,
        numbers=numbers,
        kind=kind,
        cropped=entry.cropped,
        notes=entry.notes + apex_notes + file_notes,
        label_notes=(f"{entry.where}: {remark}",) if remark else (),
        labels={name: told for name, value in entry.labels.items() if (told := _label(value))},
        filename=entry.filename or entry.clip,
        place=entry.place,
        doubts=entry.doubts + tuple(_doubts(entry, sample)),
        coded=entry.coded,
    )


def _sample(entry: Entry, **values: object) -> Sample:
    """Raises BadData for what no sample can hold (a name of 10,000 letters is fine, a lone surrogate is not)."""
    try:
        return Sample.model_validate({"dataset": entry.dataset, "subject": entry.subject, "clip": entry.clip, **values})
    except ValidationError as error:
        first = error.errors()[0]
        raise BadData(f"{entry.where}: {first['loc'][0]}: {first['msg']}; correct the cell.") from None


def _label(value: object) -> str | None:
    return None if is_absent(value) else text(value).lower()


def _doubts(entry: Entry, sample: Sample) -> Iterator[str]:
    """What contradicts itself but hinders nothing."""
    frames = sample.offset - sample.onset + 1
    told = whole(entry.duration)
    if told is not None and told not in (frames, frames - 1):
        yield f"{entry.where}: {entry.head('duration')} says {told}, onset to offset are {frames} frames"
    if frames / sample.fps > LONG:
        yield f"{entry.where}: {frames / sample.fps:.1f} s from onset to offset, long for a micro-expression"


def _check_identity(entry: Entry) -> None:
    for name in ("dataset", "subject", "clip"):
        if not getattr(entry, name):
            raise BadData(f"{entry.where}: expected a {name}, got an empty cell; fill it in or delete the row.")


def _counted_from_one(entry: Entry) -> Entry:
    """Some rows count from 0 where the files count from 1: frame 0 is frame 1 then."""
    if text(entry.onset) != "0" or not entry.place.is_dir():
        return entry
    found = numbered.images(entry.place)
    if 0 in found or 1 not in found:
        return entry
    apex = 1 if text(entry.apex) == "0" else entry.apex
    note = "the onset 0 was taken for 1: the files count from 1"
    return replace(entry, onset=1, apex=apex, notes=(*entry.notes, note))


def _span(entry: Entry) -> tuple[int, int]:
    onset = frame_number(entry.onset, entry.head("onset"), entry.where)
    offset = frame_number(entry.offset, entry.head("offset"), entry.where)
    if onset > offset:
        raise BadData(
            f"{entry.where}: expected onset before offset, got {_named(entry, 'onset')} {onset} and "
            f"{_named(entry, 'offset')} {offset}; correct the cells."
        )
    if onset == offset:
        raise BadData(
            f"{entry.where}: expected a clip of two frames or more, got one (onset = offset = {onset}); "
            "correct the cells."
        )
    return onset, offset


def _named(entry: Entry, role: str) -> str:
    return entry.heads.get(role, role)


def _apex(entry: Entry, onset: int, offset: int) -> tuple[int | None, tuple[str, ...]]:
    """The coded apex; one outside the clip counts as not coded, which is noted."""
    if is_absent(entry.apex):
        return None, ()
    apex = frame_number(entry.apex, entry.head("apex"), entry.where)
    if onset <= apex <= offset:
        return apex, ()
    return None, (f"the coded apex {apex} lies outside onset {onset} to offset {offset} and was treated as absent",)


def _files(entry: Entry, folder: Path, onset: int, offset: int) -> Files:
    shown = _inside(entry, folder)
    if entry.place.is_dir():
        files, notes = numbered.between(entry.place, onset, offset, entry.where, entry.cropped)
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
