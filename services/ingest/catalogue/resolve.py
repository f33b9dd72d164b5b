"""From a row to a found clip or a problem: here alone annotation and files are checked against each other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from services.ingest.catalogue import numbered
from services.ingest.catalogue.annotated_seconds import number_seconds, read_numbering, read_seconds
from services.ingest.catalogue.cells import frame_number, frame_rate
from services.ingest.catalogue.entry import AnnotationChange, AnnotationEntry, ClipProblem, FoundClip, SourceKind
from services.ingest.catalogue.frame_names import NameReading
from services.ingest.catalogue.named_face import check_named_face
from services.ingest.catalogue.numbering import DatasetNumbering
from services.ingest.limits import check_clip_length
from shared import action_units
from shared.errors import BadData, first_problem
from shared.inbox.names import VIDEO_SUFFIXES
from shared.records import Sample
from shared.tables.cells import cell_text, is_absent, whole_number

SENTENCE_LETTERS = 1000  # longest sentence. A cell may have 32,767 letters
LONG_CLIP_SECONDS = 1.0  # a micro-expression lasts half a second at most by the usual definition
NO_FACTS = DatasetNumbering()
ClipFiles = tuple[SourceKind, tuple[Path, ...], tuple[int, ...], tuple[str, ...]]


def resolve_entry(
    entry: AnnotationEntry,
    folder: Path,
    changes: tuple[AnnotationChange, ...] = (),
    numbering: DatasetNumbering = NO_FACTS,
) -> FoundClip | ClipProblem:
    """The clip of an entry, or a problem. Never raises BadData: a bad clip must not stop the others.

    `numbering` has what all rows and files of the dataset say about frame numbers.
    """
    try:
        return replace(_find_clip(entry, folder, numbering), changes=changes)
    except BadData as fault:
        return problem_of_entry(entry, str(fault))
    except (OSError, ValueError) as error:  # a name that no file system accepts
        reason = getattr(error, "strerror", None) or error
        return problem_of_entry(
            entry,
            f"{entry.location}: expected a clip's folder, got a name that the system refuses ({str(reason)!r}); "
            "correct the subject and the file name.",
        )


def problem_of_entry(entry: AnnotationEntry, sentence: str) -> ClipProblem:
    """The problem of an entry, its sentence cut to at most `SENTENCE_LETTERS`."""
    sentence = sentence if len(sentence) <= SENTENCE_LETTERS else sentence[:SENTENCE_LETTERS] + "..."
    return ClipProblem(entry.dataset, entry.subject, entry.clip, sentence, entry.filename or entry.clip)


def _find_clip(entry: AnnotationEntry, folder: Path, numbering: DatasetNumbering) -> FoundClip:
    _check_identity(entry)
    if entry.fault:
        raise BadData(entry.fault)
    _check_names(entry)
    _path_inside(entry, folder)
    reading = _read_names(entry, numbering)
    entry = _count_from_one(numbering.shift_entry(entry), reading)
    seconds, has_numbers = read_seconds(entry), not is_absent(entry.onset)
    if seconds:
        entry = number_seconds(entry, seconds)
    onset, offset = _onset_and_offset(entry)
    apex, apex_notes = _coded_apex(entry, onset, offset)
    kind, files, numbers, file_notes = _clip_files(entry, folder, onset, offset, reading)
    aus, remark = action_units.parse_action_units(cell_text(entry.aus))
    sample = _build_sample(
        entry,
        emotion=_label_text(entry.emotion),
        aus=aus,
        onset=onset,
        apex=apex,
        offset=offset,
        fps=frame_rate(entry.fps, entry.column_label("fps"), entry.location),
    )
    return FoundClip(
        sample=sample,
        files=files,
        numbers=numbers,
        kind=kind,
        cropped=entry.cropped,
        notes=entry.notes + apex_notes + file_notes,
        label_notes=(*entry.label_notes, f"{entry.location}: {remark}") if remark else entry.label_notes,
        labels={name: label for name, value in entry.labels.items() if (label := _label_text(value))},
        filename=entry.filename or entry.clip,
        source_path=entry.source_path,
        doubts=entry.doubts + tuple(_clip_doubts(entry, sample)) + numbering.describe_doubts(reading, entry.location),
        coded=entry.coded,
        face=check_named_face(entry.face, entry.location),
        location=entry.location,
        numbering=read_numbering(entry),
        seconds=seconds,
        numbered=has_numbers,
    )


def _build_sample(entry: AnnotationEntry, **values: object) -> Sample:
    """The sample. Raises BadData for a value that no sample can have, for example a lone surrogate."""
    try:
        return Sample.model_validate({"dataset": entry.dataset, "subject": entry.subject, "clip": entry.clip, **values})
    except ValidationError as error:
        field, _, message = first_problem(error)
        raise BadData(f"{entry.location}: {field}: {message}; correct the cell.") from None


def _label_text(value: object) -> str | None:
    return None if is_absent(value) else cell_text(value).lower()


def _clip_doubts(entry: AnnotationEntry, sample: Sample) -> Iterator[str]:
    """Contradictions within the annotation of a clip that can be used."""
    frames = sample.offset - sample.onset + 1
    duration = whole_number(entry.duration)
    if duration is not None and duration not in (frames, frames - 1):
        yield f"{entry.location}: {entry.column_label('duration')} is {duration}, onset to offset are {frames} frames"
    if frames / sample.fps > LONG_CLIP_SECONDS:
        yield f"{entry.location}: {frames / sample.fps:.1f} s from onset to offset, long for a micro-expression"


def _check_identity(entry: AnnotationEntry) -> None:
    for name in ("dataset", "subject", "clip"):
        if not getattr(entry, name):
            raise BadData(f"{entry.location}: expected a {name}, got an empty cell; fill it in or delete the row.")


def _check_names(entry: AnnotationEntry) -> None:
    for name in ("subject", "clip"):
        if is_absent(written := getattr(entry, name)):
            raise BadData(
                f"{entry.location}: expected a {name}, got {written!r}, which tables write for a missing value; fill "
                "it in or delete the row. If it is a name, write it in another way."
            )


def _read_names(entry: AnnotationEntry, numbering: DatasetNumbering) -> NameReading:
    if not entry.source_path.is_dir():
        return NameReading()
    try:
        fps = frame_rate(entry.fps, entry.column_label("fps"), entry.location)
    except BadData:
        fps = None  # a fault of the row. Those of its frame numbers are told first
    return numbered.read_frame_folder(entry.source_path, entry.cropped, numbering.habits, fps)


def _count_from_one(entry: AnnotationEntry, reading: NameReading) -> AnnotationEntry:
    """The entry with frame 0 as frame 1, if its files count from 1. A slip: the other rows say nothing of the kind."""
    if cell_text(entry.onset) != "0" or 0 in reading.numbers or 1 not in reading.numbers:
        return entry
    apex = 1 if cell_text(entry.apex) == "0" else entry.apex
    note = "the onset 0 was taken for 1: the files count from 1"
    return replace(entry, onset=1, apex=apex, notes=(*entry.notes, note))


def _onset_and_offset(entry: AnnotationEntry) -> tuple[int, int]:
    onset = frame_number(entry.onset, entry.column_label("onset"), entry.location)
    offset = frame_number(entry.offset, entry.column_label("offset"), entry.location)
    if onset > offset:
        raise BadData(
            f"{entry.location}: expected onset before offset, got {_role_name(entry, 'onset')} {onset} and "
            f"{_role_name(entry, 'offset')} {offset}; correct the cells."
        )
    if onset == offset:
        raise BadData(
            f"{entry.location}: expected a clip of two frames or more, got one (onset = offset = {onset}); "
            "correct the cells."
        )
    check_clip_length(offset - onset + 1, entry.location)
    return onset, offset


def _role_name(entry: AnnotationEntry, role: str) -> str:
    return entry.column_labels.get(role, role)


def _coded_apex(entry: AnnotationEntry, onset: int, offset: int) -> tuple[int | None, tuple[str, ...]]:
    """The coded apex, and notes. An apex outside the clip counts as not coded and is noted."""
    if is_absent(entry.apex):
        return None, ()
    apex = frame_number(entry.apex, entry.column_label("apex"), entry.location)
    if onset <= apex <= offset:
        return apex, ()
    return None, (f"the coded apex {apex} lies outside onset {onset} to offset {offset} and was treated as absent",)


def _clip_files(entry: AnnotationEntry, folder: Path, onset: int, offset: int, reading: NameReading) -> ClipFiles:
    shown = _path_inside(entry, folder)
    if entry.source_path.is_dir():
        files, notes = numbered.frame_files_between(entry.source_path, reading, onset, offset, entry.location)
        return "frames", files, tuple(range(onset, offset + 1)), notes
    if not entry.source_path.is_file():
        raise BadData(f"{entry.location}: expected the clip at {shown}, got nothing there; copy it or correct the row.")
    if entry.source_path.suffix.lower() not in VIDEO_SUFFIXES:
        kinds = " ".join(sorted(VIDEO_SUFFIXES))
        raise BadData(
            f"{entry.location}: expected a folder of frames or a video ({kinds}), got {shown}; convert the file."
        )
    return "video", (entry.source_path,), (0,), ()


def _path_inside(entry: AnnotationEntry, folder: Path) -> Path:
    """The clip's path within the dataset. Raises BadData for other paths: a sheet must not name files elsewhere."""
    inside = entry.source_path.is_relative_to(folder) and entry.source_path.relative_to(folder)
    if not inside or inside == Path() or ".." in inside.parts:
        raise BadData(
            f"{entry.location}: expected a path inside the dataset, got {str(entry.source_path)!r}; move the clip "
            "there and write its path relative to the sheet."
        )
    return inside
