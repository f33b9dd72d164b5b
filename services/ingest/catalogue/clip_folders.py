"""The folders of a dataset's clips: patterns such as "sub{subject}/{clip}", found wherever the dataset was unpacked."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from services.ingest.catalogue.tree import DatasetTree
from shared.errors import BadData
from shared.names import normalise_name, spelling_key

ClipKey = tuple[str, str]  # subject and clip, as `spelling_key` writes them
SubjectSpelling = Callable[[str], str]  # from a subject as folders write it to a subject as keys write it
_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class FolderPattern:
    """A pattern of clip folders below a dataset's root. `{name}` stands for the regular expression `fields[name]`.

    `excluded_parents` must not be among the folders above: SMIC has HS beside VIS and NIR.
    """

    path: str
    fields: Mapping[str, str] = field(default_factory=dict)
    excluded_parents: frozenset[str] = frozenset()
    cropped: bool | None = None  # None: decided by names ("Cropped/", "reg_img1.jpg")

    @cached_property
    def segments(self) -> tuple[re.Pattern[str], ...]:
        return tuple(re.compile(self._segment_expression(part), re.IGNORECASE) for part in self.path.split("/"))

    def match_folder(self, folder: PurePosixPath) -> dict[str, str] | None:
        """The fields in a folder's last names. None if it is no clip's folder."""
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
    """The folder of one clip, the fields in its path, and the folder in which its dataset was unpacked."""

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

    def clip_key(self, subject_spelling: SubjectSpelling) -> ClipKey:
        return spelling_key(subject_spelling(self.subject)), spelling_key(self.clip)


class ClipFolders:
    """The clip folders of one kind, crops or raw frames, by subject and clip."""

    def __init__(
        self,
        tree: DatasetTree,
        patterns: Sequence[FolderPattern],
        prefer: str,
        example: str,
        subject_spelling: SubjectSpelling = str,
    ) -> None:
        found = list(find_clip_folders(tree, patterns))
        if not found:
            raise _no_frames_error(tree, example)
        kinds = {clip.root: is_cropped(tree, clip) for clip in found}
        wanted = prefer == "cropped"
        self.tree, self.patterns = tree, patterns
        self.roots = [root for root, cropped in kinds.items() if cropped == wanted] or list(kinds)
        self.cropped = kinds[self.roots[0]]
        self.all = [clip for clip in found if clip.root in self.roots]
        self._known = self._index_by_key(subject_spelling)

    def find_folder(self, subject: str, clip: str) -> ClipFolder | None:
        """The folder of a clip, whatever the padding of its numbers and the form of its accents."""
        return self._known.get((spelling_key(subject), spelling_key(clip)))

    def expected_folder(self, fields: Mapping[str, str]) -> PurePosixPath:
        """The folder in which a clip that was not found is expected."""
        pattern = self.all[0].pattern
        names = _FIELD.sub(lambda match: fields.get(match[1], "*") or "*", pattern.path)
        return self.roots[0] / names

    def _index_by_key(self, subject_spelling: SubjectSpelling) -> dict[ClipKey, ClipFolder]:
        known: dict[ClipKey, ClipFolder] = {}
        for clip in self.all:
            other = known.setdefault(clip.clip_key(subject_spelling), clip)
            if other is not clip and other.root != clip.root:
                kind = "cropped" if self.cropped else "raw"
                raise BadData(
                    f"{self.tree.folder}: expected one folder of {kind} frames, got {other.root} and {clip.root}; "
                    "move one out of the dataset."
                )
        return known


def find_clip_folders(tree: DatasetTree, patterns: Sequence[FolderPattern]) -> Iterator[ClipFolder]:
    """Every folder of the tree that matches one of the patterns."""
    for folder in tree.folders:
        for pattern in patterns:
            fields = pattern.match_folder(folder)
            if fields is not None:
                root = PurePosixPath(*folder.parts[: -len(pattern.segments)])
                yield ClipFolder(folder, root, pattern, fields)
                break


def is_cropped(tree: DatasetTree, clip: ClipFolder) -> bool:
    """Whether a clip folder has face crops: by its pattern, by its root's name, or by file names if it has no root."""
    if clip.pattern.cropped is not None:
        return clip.pattern.cropped
    if clip.root.parts:
        return "crop" in str(clip.root).casefold()
    return next(Path(tree.folder / clip.folder).glob("reg_*"), None) is not None


def _no_frames_error(tree: DatasetTree, example: str) -> BadData:
    names = ", ".join(sorted(child.name for child in tree.folder.iterdir()))
    return BadData(
        f"{tree.folder}: expected frames in {example}, got no such folder in {names}; "
        "unpack the frames beside the sheet."
    )
