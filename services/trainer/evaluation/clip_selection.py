"""What a protocol takes of the clips that there are, under which classes, and what it says of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from services.trainer.data.annotations import Annotated, name, person
from services.trainer.data.features import Others
from services.trainer.evaluation.protocol import Protocol
from shared.errors import BadData
from shared.protocols import select
from shared.records import ActionUnit, Record

UNLABELLED = "unlabelled"  # the class of a clip without an emotion, in a task that is not one of classes


@dataclass(frozen=True)
class Clip:
    """A clip as a protocol sees it: the class in the place of the emotion. `row`: where it stands among those given."""

    row: int
    dataset: str
    subject: str
    clip: str
    emotion: str | None
    aus: tuple[ActionUnit, ...]


@dataclass(frozen=True)
class Taken:
    """`left_out` counts by reason what the protocol has no place for; `faults`: where the data differ from those that
    it was defined on."""

    clips: tuple[Clip, ...]
    classes: tuple[str, ...] | None = None
    others: Others = "refuse"
    left_out: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[str, ...] = ()


def taken(
    samples: Sequence[Annotated],
    protocol: Protocol,
    classes: tuple[str, ...] | None = None,
    contents: Sequence[Iterable[str]] = (),
) -> Taken:
    """Apply the protocol. `classes`: of a protocol that has none of its own, clips of others are left out; `contents`:
    digests of what stands for each clip.

    Raises BadData where a named protocol's counts are not met and that was not allowed, where nothing is left, and
    where two clips of one content would be tested apart.
    """
    clips = tuple(
        Clip(row, each.dataset, each.subject, each.clip, each.emotion, each.aus) for row, each in enumerate(samples)
    )
    found = _named(clips, protocol) if protocol.task else Taken(clips, classes, "leave out" if classes else "refuse")
    refuse_twins([clip for clip in found.clips if not classes or clip.emotion in classes], contents, protocol)
    return found


def contents_of(record: Record) -> tuple[str, ...]:
    """Digests of a clip's features and of the files that they go back to."""
    return tuple(artifact.sha256 for artifact in (record.artifact, *record.inputs.values()))


def refuse_twins(clips: Sequence[Clip], contents: Sequence[Iterable[str]], protocol: Protocol) -> None:
    """One content under two names is no harm within a group; across groups it would be trained on and tested."""
    if not contents:
        return
    seen: dict[str, Clip] = {}
    for clip in sorted(clips, key=name):
        for content in contents[clip.row]:
            other = seen.setdefault(content, clip)
            if protocol.group(person(other)) != protocol.group(person(clip)):
                raise BadData(
                    f"{name(other)} and {name(clip)} have the same content (sha256 {content[:12]}...), yet they would "
                    "be tested apart: one is a copy of the other. Correct the sheet or delete one of them."
                )


def _named(clips: Sequence[Clip], protocol: Protocol) -> Taken:
    """Of a protocol of shared/protocols/catalogue.py."""
    task = protocol.task
    assert task is not None
    selection = select(task, clips, protocol.datasets)
    told = " ".join(selection.faults)
    if selection.faults and not protocol.allow_other_counts:
        raise BadData(
            f"{told} These data are not what {task.name} was defined on; --allow-other-counts (allow_other_counts in "
            "merstream.json) goes on all the same, and the report says so."
        )
    if not selection.kept:
        raise BadData(f"Protocol {task.name} keeps none of the {len(clips)} clips. {told}".strip())
    kept = tuple(replace(clip, emotion=label or UNLABELLED) for clip, label in selection.kept)
    present = {clip.emotion for clip in kept}
    classes = tuple(label for label in task.classes if label in present) or None
    return Taken(kept, classes, "leave out" if classes else "refuse", selection.left_out, selection.faults)
