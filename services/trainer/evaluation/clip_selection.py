"""What a protocol takes of the clips that there are, under which classes, and what it says of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.trainer.data.annotations import AnnotatedClip, clip_id, subject_id
from services.trainer.data.features import OtherEmotions
from services.trainer.evaluation.protocol import ProtocolSettings
from shared.errors import BadData
from shared.protocols import apply_evaluation_protocol
from shared.records import ActionUnit, Record

UNLABELLED_CLASS = "unlabelled"  # the class of a clip without an emotion, in a task that is not one of classes


@dataclass(frozen=True)
class ProtocolClip:
    """A clip as a protocol sees it: the class in the place of the emotion. `row`: where it stands among those given."""

    row: int
    dataset: str
    subject: str
    clip: str
    emotion: str | None
    aus: tuple[ActionUnit, ...]


@dataclass(frozen=True)
class ClipSelection:
    """`left_out` counts by reason what the protocol has no place for; `faults`: where the data differ from those that
    it was defined on."""

    clips: tuple[ProtocolClip, ...]
    classes: tuple[str, ...] | None = None
    other_emotions: OtherEmotions = "refuse"
    left_out: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def select_by_protocol(
    samples: Sequence[AnnotatedClip],
    protocol: ProtocolSettings,
    classes: tuple[str, ...] | None = None,
    contents: Sequence[Iterable[str]] = (),
) -> ClipSelection:
    """Apply the protocol. `classes`: of a protocol that has none of its own, clips of others are left out; `contents`:
    digests of what stands for each clip.

    Raises BadData where a named protocol's counts are not met and that was not allowed, where nothing is left, and
    where two clips of one content would be tested apart.
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
    refuse_duplicate_content(
        [clip for clip in found.clips if not classes or clip.emotion in classes], contents, protocol
    )
    return found


def content_digests(record: Record) -> tuple[str, ...]:
    """Digests of a clip's features and of the files that they go back to."""
    return tuple(artifact.sha256 for artifact in (record.artifact, *record.inputs.values()))


def refuse_duplicate_content(
    clips: Sequence[ProtocolClip], contents: Sequence[Iterable[str]], protocol: ProtocolSettings
) -> None:
    """One content under two names is no harm within a group; across groups it would be trained on and tested."""
    if not contents:
        return
    seen: dict[str, ProtocolClip] = {}
    for clip in sorted(clips, key=clip_id):
        for content in contents[clip.row]:
            other = seen.setdefault(content, clip)
            if protocol.group_key(subject_id(other)) != protocol.group_key(subject_id(clip)):
                raise BadData(
                    f"{clip_id(other)} and {clip_id(clip)} have the same content (sha256 {content[:12]}...), yet "
                    "they would "
                    "be tested apart: one is a copy of the other. Correct the sheet or delete one of them."
                )


def _select_by_named_protocol(clips: Sequence[ProtocolClip], protocol: ProtocolSettings) -> ClipSelection:
    """Of a protocol of shared/protocols/catalogue.py."""
    task = protocol.named_protocol
    assert task is not None
    selection = apply_evaluation_protocol(task, clips, protocol.datasets)
    told = " ".join(selection.faults)
    if selection.faults and not protocol.allow_other_counts:
        raise BadData(
            f"{told} These data are not what {task.name} was defined on; --allow-other-counts (allow_other_counts in "
            "merstream.json) goes on all the same, and the report says so."
        )
    if not selection.kept:
        raise BadData(f"Protocol {task.name} keeps none of the {len(clips)} clips. {told}".strip())
    kept = tuple(replace(clip, emotion=label or UNLABELLED_CLASS) for clip, label in selection.kept)
    present = {clip.emotion for clip in kept}
    classes = tuple(label for label in task.classes if label in present) or None
    return ClipSelection(kept, classes, "leave out" if classes else "refuse", selection.left_out, selection.faults)
