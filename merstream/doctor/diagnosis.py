"""What is found in a dataset's folder: clips, labels, frames, and everything that is wrong with them, as sentences."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from merstream.doctor.image_headers import Header, look
from services.ingest import image
from services.ingest.catalogue import numbered
from services.ingest.catalogue.cells import text
from services.ingest.catalogue.entry import Found, Problem, Reading
from services.ingest.catalogue.registry import recognised
from services.ingest.catalogue.tree import Tree
from services.ingest.discover import read
from shared.errors import BadData
from shared.names import loose

NO_MATTER = frozenset({".ds_store", "thumbs.db", "desktop.ini"})
RATE_TOLERANCE = 0.02  # a video's own rate may differ from the sheet's by so much: 29.97 is 30


@dataclass
class Diagnosis:
    """One dataset's folder. Lists hold one sentence per finding; `fault` says why there are no clips at all."""

    folder: str
    dataset: str = ""
    key: str = ""
    name: str = ""
    fault: str = ""
    clips: list[Found] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    repairs: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    frames: int = 0
    sizes: Counter[str] = field(default_factory=Counter)
    broken: set[str] = field(default_factory=set)  # identities of clips with a file that can't be read

    @property
    def usable(self) -> bool:
        """At least one clip can be taken as it lies."""
        return not self.fault and bool(self.sound)

    @property
    def sound(self) -> list[Found]:
        """The clips whose files can all be read."""
        return [clip for clip in self.clips if clip.sample.identity not in self.broken]

    def counted(self) -> dict[str, object]:
        """The figures, as plain values."""
        return {
            "clips": len(self.clips),
            "sound": len(self.sound),
            "subjects": len({clip.sample.subject for clip in self.clips}),
            "emotions": dict(Counter(clip.sample.emotion or "none" for clip in self.clips)),
            "fps": dict(Counter(f"{clip.fps:g}" for clip in self.clips)),
            "frames": self.frames,
            "sizes": dict(self.sizes),
            "without_apex": sum(clip.apex is None for clip in self.clips),
        }


def examine(folder: Path, how: Reading, deep: bool = False) -> Diagnosis:
    """Look at a dataset's folder. Frames are opened for their headers, with `deep` decoded. Raises nothing for what
    lies there."""
    diagnosis = Diagnosis(str(folder), dataset=text(folder.resolve().name))
    tree = Tree(folder)
    try:
        layout = recognised(tree)
        diagnosis.key, diagnosis.name = layout.key, layout.name
        results = list(read(tree, "", how))
    except BadData as fault:
        diagnosis.fault = str(fault)
        return diagnosis
    for result in results:
        _note(diagnosis, result)
    if not diagnosis.clips:
        diagnosis.fault = f"{folder}: no clip can be used; the first reason: {(diagnosis.problems or ['no rows'])[0]}"
    known = {(loose(each.sample.subject), loose(each.filename)) for each in diagnosis.clips}
    known |= {(loose(each.subject), loose(each.filename)) for each in results if isinstance(each, Problem)}
    diagnosis.extra += _unannotated(layout.clips(tree), known)
    _check_files(diagnosis, folder, deep)
    return diagnosis


def _note(diagnosis: Diagnosis, result: Found | Problem) -> None:
    if isinstance(result, Problem):
        diagnosis.problems.append(result.sentence)
        return
    who = f"{result.sample.subject}/{result.sample.clip}"
    diagnosis.clips.append(result)
    diagnosis.missing += [f"{who}: {note}" for note in result.notes if "is missing" in note]
    diagnosis.repairs += [f"{who}: {note}" for note in result.notes if "is missing" not in note]
    diagnosis.contradictions += result.doubts
    diagnosis.labels += result.label_notes
    diagnosis.corrections += map(str, result.changes)


def _unannotated(folders: Iterable[tuple[str, tuple[str, str]]], known: set[tuple[str, str]]) -> Iterator[str]:
    for folder, key in folders:
        if key not in known:
            yield f"{folder}: the sheet does not mention this clip; nothing is done with it"


def _check_files(diagnosis: Diagnosis, folder: Path, deep: bool) -> None:
    listed: set[Path] = set()
    for clip in diagnosis.clips:
        faults, sizes = _video(clip) if clip.kind == "video" else _frames(clip, deep)
        diagnosis.unreadable += [f"{_shown(file, folder)} {fault}" for file, fault in faults]
        if faults:
            diagnosis.broken.add(clip.sample.identity)
        diagnosis.frames += len(set(clip.files)) if clip.kind == "frames" else clip.offset - clip.onset + 1
        diagnosis.sizes.update(f"{size[0]}x{size[1]}" for size in sizes[:1])
        if len(set(sizes)) > 1:
            names = ", ".join(sorted({f"{width}x{height}" for width, height in sizes}))
            diagnosis.contradictions.append(
                f"{clip.sample.subject}/{clip.sample.clip}: frames of several sizes: {names}"
            )
        if clip.kind == "frames" and clip.place not in listed:
            listed.add(clip.place)
            diagnosis.extra += _strangers(clip.place, folder)


def _frames(clip: Found, deep: bool) -> tuple[list[tuple[Path, str]], list[tuple[int, int]]]:
    """Faults by file, and the sizes in the order of the frames."""
    faults, sizes = [], []
    for file in dict.fromkeys(clip.files):
        header = _decoded(file) if deep else look(file)
        if header.fault:
            faults.append((file, f"{header.fault}; copy it again from the original"))
        if header.size:
            sizes.append(header.size)
    return faults, sizes


def _decoded(file: Path) -> Header:
    header = look(file)
    if header.fault:
        return header
    try:
        pixels = image.decode(np.frombuffer(file.read_bytes(), np.uint8), file.name)
    except (BadData, OSError) as fault:
        return Header(header.kind, fault=f"cannot be decoded ({fault})")
    return Header(header.kind, (pixels.shape[1], pixels.shape[0]))


def _video(clip: Found) -> tuple[list[tuple[Path, str]], list[tuple[int, int]]]:
    file = clip.files[0]
    opened = cv2.VideoCapture(str(file))
    frames, rate = int(opened.get(cv2.CAP_PROP_FRAME_COUNT)), opened.get(cv2.CAP_PROP_FPS)
    size = int(opened.get(cv2.CAP_PROP_FRAME_WIDTH)), int(opened.get(cv2.CAP_PROP_FRAME_HEIGHT))
    opened.release()
    if frames <= 0:
        return [(file, "is no video that can be opened; convert it")], []
    faults = []
    if clip.offset >= frames:
        faults.append((file, f"has {frames} frames, counted from 0, and the offset is {clip.offset}; correct the row"))
    if abs(rate - clip.fps) > RATE_TOLERANCE * clip.fps:
        faults.append((file, f"runs at {rate:g} frames per second, the sheet says {clip.fps:g}; correct the row"))
    return faults, [size]


def _strangers(place: Path, folder: Path) -> Iterator[str]:
    """Files in a clip's folder that are no frames."""
    frames = {file for files in numbered.images(place).values() for file in files}
    for file in sorted(place.iterdir()):
        if file not in frames and file.name.casefold() not in NO_MATTER and not file.name.startswith("."):
            yield f"{_shown(file, folder)}: no numbered image; nothing is done with it"


def _shown(file: Path, folder: Path) -> str:
    return str(file.relative_to(folder))


def folders_of(given: Sequence[Path]) -> list[Path]:
    """The dataset folders that are meant: each one given, or its children where they are datasets of several kinds."""
    return [each for folder in given for each in _collected(folder) or [folder]]


def _collected(folder: Path) -> list[Path]:
    children = [child for child in sorted(folder.iterdir()) if child.is_dir()] if folder.is_dir() else []
    kinds = {child: _kind(child) for child in children}
    return [child for child, kind in kinds.items() if kind] if len({*kinds.values()} - {""}) > 1 else []


def _kind(folder: Path) -> str:
    try:
        return recognised(Tree(folder)).key
    except BadData:
        return ""
