"""Discovery without the dataset: on a skeleton with the real sheets and with empty frames and videos.

Discovery reads only names and sheets, so it has the same result on the skeleton as on the dataset.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from services.ingest.catalogue.entry import ClipProblem, FoundClip
from services.ingest.catalogue.numbering import SHIFT_NOTES
from services.ingest.catalogue.spreadsheet import read_tables
from services.ingest.catalogue.tree import DatasetTree
from services.ingest.discover import discover_tree
from services.ingest.inbox.dropped_files import DatasetContents
from shared.errors import BadData
from shared.inbox import dataset_plan as plans
from shared.inbox.dataset_plan import DatasetPlan
from shared.inbox.names import PLAN, SHEETS
from shared.protocols import find_same_people, refuse_same_people
from shared.records import json_digest
from shared.store import ObjectReader
from shared.tables.table import Table

LEVELS = 3  # discovery reads sheets in the dataset's folder and two levels below


@dataclass(frozen=True)
class DroppedClip:
    """A clip and the paths of its files inside the dataset, parallel to `found.files`."""

    found: FoundClip
    paths: tuple[str, ...]

    @property
    def missing_part(self) -> str:
        """The frames that may be missing, as a sentence. '' if annotation and files agree that all are there."""
        if gaps := len(self.paths) - len(set(self.paths)):
            return f"expected all frames, {gaps} are missing and replaced by a neighbour; upload them"
        if {*SHIFT_NOTES.values()} & {*self.found.notes}:
            return "its sheet seems to count from another number than its frames; upload the first and last frames"
        return "" if self.found.coded else "no sheet says how many frames it has"


@dataclass
class DiscoveryView:
    """The result of discovery on an uploaded dataset. `plan` is None if merstream.json cannot be read."""

    plan: DatasetPlan | None = None
    clips: list[DroppedClip] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def discover_on_skeleton(
    name: str,
    contents: DatasetContents,
    store: ObjectReader,
    scratch: Path,
    video_length: Callable[[str, int], int] = lambda path, expected: 0,
    open_sheet: Callable[[str], None] = lambda path: None,
    beat: Callable[[], None] = lambda: None,
) -> DiscoveryView:
    """Discover the clips of the dataset `name`. Never raises BadData: `faults` has a sentence for each problem.

    `video_length` is a `VideoLength` for paths inside the dataset, since the skeleton's videos are empty. `open_sheet`
    gets the path of a sheet before it is read, and "" after that. It may raise BadData to refuse it. `beat` is called
    for each file and each clip.
    """
    seen = DiscoveryView(faults=list(contents.faults), notes=list(contents.notes))
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        # A neutral path below the scratch folder: "crop" in a name would change the result.
        top = Path(folder) / "d"
        try:
            seen.plan = _read_plan(contents, store, Path(folder) / "plan")
            inner = _build_skeleton(contents, store, top, beat)

            def count_frames(file: Path, expected: int) -> int:
                return video_length(file.relative_to(top).as_posix(), expected)

            def read_sheet(file: Path) -> list[Table]:
                open_sheet(file.relative_to(top).as_posix())
                tables = read_tables(file)
                open_sheet("")
                return tables

            trees = [DatasetTree(each, video_length=count_frames, read_sheet=read_sheet) for each in (top, inner)]
            for each in _discover_skeleton(trees, name, seen.plan):
                beat()
                if isinstance(each, ClipProblem):
                    seen.faults.append(each.sentence)
                else:
                    paths = tuple(file.relative_to(top).as_posix() for file in each.files)
                    seen.clips.append(DroppedClip(each, paths))
            if not seen.plan.train.get("distinct"):
                samples = [clip.found.sample for clip in seen.clips]
                refuse_same_people(find_same_people((sample.dataset, sample.subject) for sample in samples))
        except BadData as fault:
            seen.clips = []
            seen.faults.append(str(fault))
        seen.faults = [_without_folder(sentence, top, name) for sentence in seen.faults]
    return seen


def clip_fingerprint(clip: DroppedClip, contents: DatasetContents, version: int) -> str:
    """Digest of everything that enters the clip's artifact. Files enter by path, mark and size, not by their bytes."""
    found = clip.found
    files = [[path, contents.files[path].mark, contents.files[path].size] for path in clip.paths]
    shape = [found.onset, found.apex, found.offset, found.fps, found.kind, found.cropped]
    named = [found.face] if found.face else []
    meaning = [[found.numbering, found.seconds, found.numbered]] if found.numbering or found.seconds else []
    return json_digest([version, files, list(found.numbers), shape, list(found.notes), *named, *meaning])


def _read_plan(contents: DatasetContents, store: ObjectReader, file: Path) -> DatasetPlan:
    held = contents.files.get(PLAN) or contents.files.get(f"{_wrapping_folder(contents)}{PLAN}")
    if held is None:
        return DatasetPlan()
    held.fetch_to(store, file)
    return plans.parse_plan(file.read_bytes())


def _discover_skeleton(trees: Sequence[DatasetTree], name: str, plan: DatasetPlan) -> Iterator[FoundClip | ClipProblem]:
    """Discover in the dataset's folder, else in the innermost folder that holds everything."""
    top, inner = trees
    try:
        return discover_tree(top, name, plan.reading)
    except BadData as fault:
        try:
            return discover_tree(inner, name, plan.reading)
        except BadData:
            raise fault from None


def _build_skeleton(contents: DatasetContents, store: ObjectReader, top: Path, beat: Callable[[], None]) -> Path:
    """Write the skeleton into `top`. Returns the innermost folder that holds everything."""
    wrapping = _wrapping_folder(contents)
    (top / wrapping).mkdir(parents=True)
    for folder in {PurePosixPath(path).parent for path in contents.files}:
        (top / folder).mkdir(parents=True, exist_ok=True)
    for path, held in contents.files.items():
        beat()
        if path.lower().endswith(SHEETS) and path.removeprefix(wrapping).count("/") < LEVELS:
            held.fetch_to(store, top / path)
        elif path != PLAN and path != wrapping + PLAN:
            (top / path).touch()
    return top / wrapping


def _wrapping_folder(contents: DatasetContents) -> str:
    """`a/b/` if all files except the plan are below a/b."""
    return _common_folder(path for path in contents.files if path != PLAN)


def _common_folder(paths: Iterable[str]) -> str:
    folders = [PurePosixPath(path).parent.parts for path in paths]
    shortest, longest = min(folders, default=()), max(folders, default=())
    common = next((at for at, (a, b) in enumerate(zip(shortest, longest, strict=False)) if a != b), None)
    same = shortest[: min(len(shortest), len(longest)) if common is None else common]
    return "".join(f"{part}/" for part in same)


def _without_folder(sentence: str, top: Path, name: str) -> str:
    """The sentence with the dataset's name in place of the temporary folder, its links resolved or not."""
    for folder in (str(top.resolve()), str(top)):
        sentence = sentence.replace(folder, name)
    return sentence
