"""Discovery without the dataset: on a skeleton whose sheets are whole and whose frames and videos are empty files.

Discovery reads names and sheets only, so it finds on the skeleton what it would find on the dataset.
"""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from services.ingest.catalogue.entry import Found, Problem
from services.ingest.discover import discover
from services.ingest.inbox import dataset_plan as plans
from services.ingest.inbox.dataset_plan import Plan
from services.ingest.inbox.dropped_files import Contents
from services.ingest.inbox.names import PLAN
from shared.errors import BadData
from shared.records import digest
from shared.store import Store

SHEETS = (".xlsx", ".csv")
LEVELS = 3  # the dataset's folder and two below: where discovery looks for sheets


@dataclass(frozen=True)
class Clip:
    """A clip and the paths of its files inside the dataset, parallel to `found.files`."""

    found: Found
    paths: tuple[str, ...]

    @property
    def lacks(self) -> str:
        """What may still come; '' where annotation and files say that all is there."""
        if gaps := len(self.paths) - len(set(self.paths)):
            return f"expected all frames, {gaps} are not there and have a neighbour instead; drop them"
        return "" if self.found.coded else "no sheet says how many frames it has"


@dataclass
class View:
    """What discovery says of a dropped dataset; `plan` is None where merstream.json can't be read."""

    plan: Plan | None = None
    clips: list[Clip] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def view(name: str, contents: Contents, store: Store, scratch: Path) -> View:
    """Never raises BadData: what is wrong is told in `faults`."""
    seen = View(faults=list(contents.faults))
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        # A path like any dataset's, whatever the scratch folder is called: "crop" in a name means something.
        top = Path(folder) / "d"
        try:
            seen.plan = _plan(contents, store, Path(folder) / "plan")
            for each in _discovered(_skeleton(contents, store, top), top, name, seen.plan):
                if isinstance(each, Problem):
                    seen.faults.append(each.sentence)
                else:
                    paths = tuple(file.relative_to(top).as_posix() for file in each.files)
                    seen.clips.append(Clip(each, paths))
        except BadData as fault:
            seen.faults.append(str(fault))
        seen.faults = [_without(sentence, top, name) for sentence in seen.faults]
    return seen


def fingerprint(clip: Clip, contents: Contents, version: int) -> str:
    """Digest of all that packing the clip puts into its artifact, files by what is known without their bytes."""
    found = clip.found
    files = [[path, contents.files[path].mark, contents.files[path].size] for path in clip.paths]
    shape = [found.onset, found.apex, found.offset, found.fps, found.kind, found.cropped]
    return digest([version, files, list(found.numbers), shape, list(found.notes)])


def _plan(contents: Contents, store: Store, file: Path) -> Plan:
    held = contents.files.get(PLAN) or contents.files.get(f"{_wrapping(contents)}{PLAN}")
    if held is None:
        return Plan()
    held.bring(store, file)
    return plans.read(file.read_bytes())


def _discovered(inner: Path, top: Path, name: str, plan: Plan) -> Iterator[Found | Problem]:
    """As the dataset lies; else without the folders that hold nothing but one folder."""
    try:
        return discover(top, name, how=plan.reading)
    except BadData as fault:
        try:
            return discover(inner, name, how=plan.reading)
        except BadData:
            raise fault from None


def _skeleton(contents: Contents, store: Store, top: Path) -> Path:
    """The innermost folder in it that holds everything."""
    wrapping = _wrapping(contents)
    (top / wrapping).mkdir(parents=True)
    for folder in {PurePosixPath(path).parent for path in contents.files}:
        (top / folder).mkdir(parents=True, exist_ok=True)
    for path, held in contents.files.items():
        if path.lower().endswith(SHEETS) and path.removeprefix(wrapping).count("/") < LEVELS:
            held.bring(store, top / path)
        elif path != PLAN and path != wrapping + PLAN:
            (top / path).touch()
    return top / wrapping


def _wrapping(contents: Contents) -> str:
    """`a/b/` where everything (the plan aside) lies below a/b."""
    return _common(path for path in contents.files if path != PLAN)


def _common(paths: Iterable[str]) -> str:
    folders = [PurePosixPath(path).parent.parts for path in paths]
    shortest, longest = min(folders, default=()), max(folders, default=())
    common = next((at for at, (a, b) in enumerate(zip(shortest, longest, strict=False)) if a != b), None)
    same = shortest[: min(len(shortest), len(longest)) if common is None else common]
    return "".join(f"{part}/" for part in same)


def _without(sentence: str, top: Path, name: str) -> str:
    """Sentences name the dataset, not a temporary folder (its links resolved or not)."""
    for folder in (str(top.resolve()), str(top)):
        sentence = sentence.replace(folder, name)
    return sentence
