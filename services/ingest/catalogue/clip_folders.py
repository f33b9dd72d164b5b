"""Where a dataset keeps its clips: a pattern such as "sub{subject}/{clip}", found wherever it was unpacked."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from services.ingest.catalogue.tree import DatasetTree
from shared.errors import BadData
from shared.names import normalise_name, spelling_key

ClipKey = tuple[str, str]  # subject and clip, as `loose` writes them
SubjectSpelling = Callable[[str], str]  # a subject as folders write it -> as keys do
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class FolderPattern:
    """Folders below the place where the dataset was unpacked: `{name}` stands for the expression `fields[name]`.

    `parents` must be, and `strangers` must not be, among the folders above (SMIC keeps HS beside VIS and NIR).
    """

    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    excluded_parents: frozenset[str] = frozenset()
    cropped: bool | None = None  # None: the names say it ("Cropped/", "reg_img1.jpg")

    @cached_property
    def segments(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(self._segment_expression(part), re.IGNORECASE) for part in self.path.split("/"))

    def match_folder(self, folder: PurePosixPath) -> dict[str, str] | None:
        """The fields in a folder's last names; None if it is no clip's folder."""
        parts = folder.parts[-len(self.segments) :]
        above = {part.casefold() for part in folder.parts[: -len(self.segments)]}
        if len(parts) < len(self.segments) or above & self.excluded_parents:
            return None
        found: dict[str, str] = {}
        for part, segment in zip(parts, self.segments, strict=True):
            match = segment.fullmatch(normalise_name(part))
            if not match:
                return None
            found |= {name: value for name, value in match.groupdict().items() if value is not None}
        return found

    def _segment_expression(self, part: str) -> str:
        pieces = _FIELD.split(part)
        return "".join(
            f"(?P<{piece}>{self.fields.get(piece, '.+')})" if index % 2 else re.escape(piece)
            for index, piece in enumerate(pieces)
        )


@dataclass(frozen=True)
class ClipFolder:
    """One clip's folder, what its path says, and the folder in which its dataset was unpacked."""

    folder: PurePosixPath
    root: PurePosixPath
    pattern: FolderPattern
    fields: Mapping[str, str]

    @property
    def clip(self) -> str:
        return normalise_name(self.fields["clip"])

    @property
    def subject(self) -> str:
        return normalise_name(self.fields.get("subject", ""))

    def clip_key(self, person: SubjectSpelling) -> ClipKey:
        return spelling_key(person(self.subject)), spelling_key(self.clip)


class ClipFolders:
    """The clips' folders of one kind (crops or raw), by subject and clip."""

    def __init__(
        self,
        tree: DatasetTree,
        patterns: Sequence[FolderPattern],
        prefer: str,
        example: str,
        person: SubjectSpelling = str,
    ) -> None:
        found = list(find_clip_folders(tree, patterns))
        if not found:
            raise _no_frames_error(tree, example)
        kinds = {place.root: is_cropped(tree, place) for place in found}
        wanted = prefer == "cropped"
        self.tree, self.patterns = tree, patterns
        self.roots = [root for root, cropped in kinds.items() if cropped == wanted] or list(kinds)
        self.cropped = kinds[self.roots[0]]
        self.all = [place for place in found if place.root in self.roots]
        self._known = self._index_by_key(prefer, person)

    def find_folder(self, subject: str, clip: str) -> ClipFolder | None:
        """The folder of a clip however its numbers are padded and its accents are written."""
        return self._known.get((spelling_key(subject), spelling_key(clip)))

    def expected_folder(self, fields: Mapping[str, str]) -> PurePosixPath:
        """Where a clip that was not found should lie."""
        pattern = self.all[0].pattern
        names = _FIELD.sub(lambda match: fields.get(match[1], "*") or "*", pattern.path)
        return self.roots[0] / names

    def _index_by_key(self, prefer: str, person: SubjectSpelling) -> dict[ClipKey, ClipFolder]:
        known: dict[ClipKey, ClipFolder] = {}
        for place in self.all:
            other = known.setdefault(place.clip_key(person), place)
            if other is not place and other.root != place.root:
                raise BadData(
                    f"{self.tree.folder}: expected one folder of {prefer} frames, got {other.root} and {place.root}; "
                    "move one out of the dataset."
                )
        return known


def find_clip_folders(tree: DatasetTree, patterns: Sequence[FolderPattern]) -> Iterator[ClipFolder]:
    """Every clip's folder that one of the patterns describes."""
    for folder in tree.folders:
        for pattern in patterns:
            fields = pattern.match_folder(folder)
            if fields is not None:
                root = PurePosixPath(*folder.parts[: -len(pattern.segments)])
                yield ClipFolder(folder, root, pattern, fields)
                break


def is_cropped(tree: DatasetTree, place: ClipFolder) -> bool:
    """By its pattern, by its root's name, or by the files' names where the root is the dataset's folder itself."""
    if place.pattern.cropped is not None:
        return place.pattern.cropped
    if place.root.parts:
        return "crop" in str(place.root).casefold()
    return next(Path(tree.folder / place.folder).glob("reg_*"), None) is not None


def _no_frames_error(tree: DatasetTree, example: str) -> BadData:
    names = ", ".join(sorted(child.name for child in tree.folder.iterdir()))
    return BadData(
        f"{tree.folder}: expected frames in {example}, got no such folder in {names}; "
        "unpack the frames beside the sheet."
    )
