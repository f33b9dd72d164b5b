"""The clips that a protocol selects, their classes, and the differences from its published data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

from shared.errors import BadData
from shared.names import spelling_key
from shared.protocols import apply_evaluation_protocol
from shared.records import ActionUnit, Record
from shared.training.annotations import AnnotatedClip, clip_id, emotion_classes, subject_id
from shared.training.protocol import ProtocolSettings

OtherEmotions = Literal["refuse", "leave out"]
UNLABELLED_CLASS = "unlabelled"  # class of a clip without an emotion, in a protocol without classes


@dataclass(frozen=True, slots=True)
class ProtocolClip:
    """A clip of a protocol: `emotion` is the protocol's class, `row` the clip's index among the given samples."""

    row: int
    dataset: str
    subject: str
    clip: str
    emotion: str | None
    aus: tuple[ActionUnit, ...]


@dataclass(frozen=True)
class ClipSelection:
    """The selected clips. `left_out`: number of other clips by reason. `faults`: differences from the data that the
    protocol was defined on. `units`: the action units that it scores, () for all that the clips are coded for."""

    clips: tuple[ProtocolClip, ...]
    classes: tuple[str, ...] | None = None
    other_emotions: OtherEmotions = "refuse"
    left_out: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    units: tuple[int, ...] = ()


def select_by_protocol(
    samples: Iterable[AnnotatedClip],
    protocol: ProtocolSettings,
    classes: tuple[str, ...] | None = None,
    contents: Sequence[Iterable[str]] = (),
) -> ClipSelection:
    """Apply the protocol to the samples.

    classes: the classes of a generic protocol; clips of other emotions are left out. contents: digests of each sample's
    files. Raises BadData for counts that differ from a named protocol's, unless this is allowed, and if no clip is
    left. It also raises BadData for one person under two names, and if two clips with the same content belong to
    different groups.
    """
    clips = tuple(
        ProtocolClip(row, each.dataset, each.subject, each.clip, each.emotion, each.aus)
        for row, each in enumerate(samples)
    )
    found = (
        _select_by_named_protocol(clips, protocol)
        if protocol.named_protocol
        else ClipSelection(clips, classes, "leave out" if classes else "refuse")
    )
    used = [clip for clip in found.clips if not classes or clip.emotion in classes]
    protocol.refuse_same_people(map(subject_id, used))
    refuse_duplicate_content(used, contents, protocol)
    return found


def content_digests(record: Record) -> tuple[str, ...]:
    """Digests of a clip's features and of the artifacts that they were made from."""
    return tuple(artifact.sha256 for artifact in (record.artifact, *record.inputs.values()))


def refuse_duplicate_content(
    clips: Sequence[ProtocolClip], contents: Sequence[Iterable[str]], protocol: ProtocolSettings
) -> None:
    """Raises BadData if two clips of different groups share content: it would be trained on and tested.

    So does one clip of a person under two spellings of its name: it would count twice.
    """
    if not contents:
        return
    seen: dict[str, tuple[ProtocolClip, str]] = {}
    for clip in sorted(clips, key=clip_id):
        present = clip, protocol.group_key(subject_id(clip))
        for content in contents[clip.row]:
            other, group = seen.setdefault(content, present)
            if group != present[1]:
                raise BadData(
                    f"{clip_id(other)} and {clip_id(clip)} have the same content (sha256 {content[:12]}...), but are "
                    f"in different groups: {_describe_copy(other, clip)}"
                )
            if other.clip != clip.clip and spelling_key(other.clip) == spelling_key(clip.clip):
                raise BadData(
                    f"{clip_id(other)} and {clip_id(clip)} have the same content (sha256 {content[:12]}...): one clip "
                    "under two names would count twice. Delete one of them."
                )


def _describe_copy(one: ProtocolClip, other: ProtocolClip) -> str:
    """How two clips come to have the same content, and the way out."""
    if one.dataset == other.dataset or one.clip != other.clip:
        return "one is a copy of the other. Correct the sheet or delete one of them."
    return (
        f"the dataset {one.dataset} is also here as {other.dataset}, renamed or copied. Train on one of the two. In a "
        "table delete the rows of one. `mer forget NAME --out FOLDER` withdraws a name from the folder of a run."
    )


def _select_by_named_protocol(clips: Sequence[ProtocolClip], protocol: ProtocolSettings) -> ClipSelection:
    """The selection of a protocol of shared/protocols/catalogue.py."""
    task = protocol.named_protocol
    assert task is not None
    selection = apply_evaluation_protocol(task, clips, protocol.datasets)
    differences = " ".join(selection.faults)
    if selection.faults and not protocol.allow_other_counts:
        raise BadData(
            f"{differences} {task.name} was defined on other data. To train anyway, use --allow-other-counts "
            "(allow_other_counts in merstream.json): the report then names the differences."
        )
    if not selection.kept:
        raise BadData(f"Protocol {task.name} keeps none of the {len(clips)} clips. {differences}".strip())
    kept = tuple(replace(clip, emotion=label or UNLABELLED_CLASS) for clip, label in selection.kept)
    present = {clip.emotion for clip in kept}
    classes = tuple(label for label in task.classes if label in present) or None
    other_emotions: OtherEmotions = "leave out" if classes else "refuse"
    return ClipSelection(kept, classes, other_emotions, selection.left_out, selection.faults, task.units)


def select_clips(
    samples: Sequence[AnnotatedClip], classes: Sequence[str] | None = None, other_emotions: OtherEmotions = "refuse"
) -> tuple[list[int], tuple[str, ...]]:
    """Rows of the clips to use, sorted by clip name, and the classes (default: all emotions that occur).

    Clips of other emotions are an error or are left out. Raises BadData for no clips, a repeated clip, and as
    `emotion_classes` does.
    """
    if not samples:
        raise BadData("No features at all: expected at least one clip. Run the stages up to roi-au first.")
    chosen = emotion_classes(samples, classes)
    order = sorted(range(len(samples)), key=lambda row: clip_id(samples[row]))
    for one, other in pairwise(order):
        if clip_id(samples[one]) == clip_id(samples[other]):
            raise BadData(
                f"{clip_id(samples[one])}: expected each clip once, got it from two datasets: one is the other under a "
                "new name. Train on one of them."
            )
    kept = [row for row in order if samples[row].emotion in chosen]
    if other_emotions == "refuse" and len(kept) < len(order):
        wrong = next(samples[row] for row in order if samples[row].emotion not in chosen)
        raise BadData(
            f"{clip_id(wrong)}: expected one of the emotions {', '.join(chosen)}, got {wrong.emotion!r}. Add it to the "
            "classes or leave clips of other emotions out."
        )
    return kept, chosen
