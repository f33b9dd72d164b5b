"""The examination of a dataset folder: clips, labels, frames, and a sentence for everything that is wrong."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from merstream.doctor.frame_files import check_frames, find_stray_files
from merstream.doctor.video_check import VideoFindings, check_video
from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.catalogue.own_outputs import DRAWN_DATASET, find_own_output
from services.ingest.catalogue.registry import recognise_layout
from services.ingest.catalogue.tree import DatasetTree
from services.ingest.discover import discover_tree
from shared.clip_notes import group_notes
from shared.errors import BadData
from shared.inbox.reading_options import ReadingOptions
from shared.names import spelling_key
from shared.protocols import find_same_people
from shared.tables.cells import cell_text


@dataclass
class Diagnosis:
    """The findings in one dataset folder, a sentence each. `fault` says why there are no clips at all."""

    folder: str
    dataset: str = ""
    key: str = ""
    name: str = ""
    fault: str = ""
    clips: list[FoundClip] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    same_people: list[str] = field(default_factory=list)  # names that may be one person: a run refuses them
    frames: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    broken: set[str] = field(default_factory=set)  # identities of clips with an unreadable file
    coarse: set[str] = field(default_factory=set)  # identities of clips of which few grey levels are left

    @property
    def usable(self) -> bool:
        """Whether clips can be used as they are, most of them without repair, and no person has two names."""
        clips = self.readable_clips
        return not self.fault and not self.same_people and bool(clips) and 2 * len(self.repaired_clips) <= len(clips)

    @property
    def readable_clips(self) -> list[FoundClip]:
        """The clips without an unreadable file."""
        return [clip for clip in self.clips if clip.sample.identity not in self.broken]

    @property
    def repaired_clips(self) -> list[FoundClip]:
        """The readable clips in which a missing frame's neighbour is shown instead, or with few grey levels."""
        return [
            clip
            for clip in self.readable_clips
            if clip.sample.identity in self.coarse or (clip.kind == "frames" and len({*clip.files}) < len(clip.files))
        ]

    def summary_figures(self) -> dict[str, object]:
        """The figures of the dataset, as plain values."""
        return {
            "clips": len(self.clips),
            "sound": len(self.readable_clips) - len(self.repaired_clips),
            "repaired": len(self.repaired_clips),
            "subjects": len({clip.sample.subject for clip in self.clips}),
            "emotions": dict(Counter(clip.sample.emotion or "none" for clip in self.clips)),
            "fps": dict(Counter(f"{clip.fps:g}" for clip in self.clips)),
            "frames": self.frames,
            "sizes": dict(self.sizes),
            "without_apex": sum(clip.apex is None for clip in self.clips),
            "without_aus": sum(not clip.sample.aus for clip in self.clips),  # AU 0: coded, none present
        }


def examine_folder(folder: Path, reading: ReadingOptions, deep: bool = False, distinct: bool = False) -> Diagnosis:
    """Examine a dataset folder. Only the headers of frames are read, unless `deep` decodes them.

    `distinct`: names of people that are spelled alike are different people.

    Raises no error for bad data: it becomes a finding.
    """
    diagnosis = Diagnosis(str(folder), dataset=cell_text(folder.resolve().name))
    tree = DatasetTree(folder)
    try:
        diagnosis.extra += tree.own_outputs if folder.is_dir() else ()
        layout = recognise_layout(tree)
        diagnosis.key, diagnosis.name = layout.key, layout.name
        results = list(discover_tree(tree, "", reading))
    except BadData as fault:
        diagnosis.fault = str(fault)
        return diagnosis
    for result in results:
        _record_result(diagnosis, result)
    if not diagnosis.clips:
        diagnosis.fault = f"{folder}: no clip can be used. The first reason: {(diagnosis.problems or ['no rows'])[0]}"
    known = {(spelling_key(each.sample.subject), spelling_key(each.filename)) for each in diagnosis.clips}
    known |= {
        (spelling_key(each.subject), spelling_key(each.filename)) for each in results if isinstance(each, ClipProblem)
    }
    diagnosis.extra += _unannotated_folders(layout.list_clip_folders(tree), known)
    if not distinct:
        people = {(clip.sample.dataset, clip.sample.subject) for clip in diagnosis.clips}
        diagnosis.same_people += map(" and ".join, find_same_people(people))
    _check_files(diagnosis, folder, deep)
    diagnosis.repairs = group_notes(_split_clip(sentence) for sentence in diagnosis.repairs)
    return diagnosis


def _record_result(diagnosis: Diagnosis, result: FoundClip | ClipProblem) -> None:
    if isinstance(result, ClipProblem):
        diagnosis.problems.append(result.sentence)
        return
    name = f"{result.sample.subject}/{result.sample.clip}"
    diagnosis.clips.append(result)
    diagnosis.missing += [f"{name}: {note}" for note in result.notes if "is missing" in note]
    diagnosis.repairs += [f"{name}: {note}" for note in result.notes if "is missing" not in note]
    diagnosis.contradictions += result.doubts
    diagnosis.labels += (note for note in result.label_notes if note not in diagnosis.labels)
    diagnosis.corrections += map(str, result.changes)


def _unannotated_folders(folders: Iterable[tuple[str, tuple[str, str]]], known: set[tuple[str, str]]) -> Iterator[str]:
    for folder, key in folders:
        if key not in known:
            yield f"{folder}: the sheet does not mention this clip. It is ignored"


def _check_files(diagnosis: Diagnosis, folder: Path, deep: bool) -> None:
    listed: set[Path] = set()
    for clip in diagnosis.clips:
        if clip.kind == "video":
            _record_video(diagnosis, clip, check_video(clip, deep), folder)
            continue
        found = check_frames(clip, deep)
        faults, sizes = found.faults, found.sizes
        diagnosis.repairs += [f"{clip.sample.subject}/{clip.sample.clip}: {note}" for note in found.notes]
        diagnosis.unreadable += [f"{_relative_path(file, folder)} {fault}" for file, fault in faults]
        if faults:
            diagnosis.broken.add(clip.sample.identity)
        if found.is_coarse:
            diagnosis.coarse.add(clip.sample.identity)
        diagnosis.frames += len(set(clip.files))
        diagnosis.sizes.update(f"{size[0]}x{size[1]}" for size in sizes[:1])
        if len(set(sizes)) > 1:
            names = ", ".join(sorted({f"{width}x{height}" for width, height in sizes}))
            diagnosis.unreadable.append(
                f"{clip.sample.subject}/{clip.sample.clip}: frames of several sizes: {names}. Export them at one size"
            )
            diagnosis.broken.add(clip.sample.identity)
        if clip.source_path not in listed:
            listed.add(clip.source_path)
            diagnosis.extra += find_stray_files(clip, folder)


def _split_clip(sentence: str) -> tuple[str, str]:
    clip, _, note = sentence.partition(": ")
    return clip, note


def _record_video(diagnosis: Diagnosis, clip: FoundClip, found: VideoFindings, folder: Path) -> None:
    name = _relative_path(clip.files[0], folder)
    diagnosis.problems += found.problems
    diagnosis.unreadable += found.unreadable
    diagnosis.contradictions += [f"{name} {each}" for each in found.contradictions]
    diagnosis.repairs += [f"{clip.sample.subject}/{clip.sample.clip}: {note}" for note in found.notes]
    diagnosis.frames += found.frames
    diagnosis.sizes.update(found.sizes)
    if found.problems or found.unreadable:
        diagnosis.broken.add(clip.sample.identity)


def _relative_path(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder))


def dataset_folders(folders: Sequence[Path]) -> list[Path]:
    """The given folders. A folder whose children are datasets of several kinds is replaced by them."""
    return [each for folder in folders for each in _child_datasets(folder) or [folder]]


def _child_datasets(folder: Path) -> list[Path]:
    children = [child for child in sorted(folder.iterdir()) if child.is_dir()] if folder.is_dir() else []
    writers = {child: find_own_output(child) for child in children}
    kinds = {child: _dataset_kind(child) for child in children if writers[child] in ("", DRAWN_DATASET)}
    # A drawn dataset may lie inside another one: it does not make the folder a collection.
    deciding = {kind for child, kind in kinds.items() if kind and not writers[child]}
    return [child for child, kind in kinds.items() if kind] if len(deciding) > 1 else []


def _dataset_kind(folder: Path) -> str:
    try:
        return recognise_layout(DatasetTree(folder, beside_others=True)).key
    except BadData:
        return ""
