"""The description of a run before its training (run.json), and differences to a repetition."""

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence

from shared.device import describe_device, describe_torch
from shared.feature_index import pick_records
from shared.provenance import NOT_INSTALLED, package_version
from shared.records import Record, json_digest
from shared.run_contents import Environment, RunContents, TableClip
from shared.training.options import TrainingOptions

RECORDED_LIBRARIES = ("torch", "numpy", "scikit-learn", "scipy", "safetensors", "threadpoolctl", "pydantic")
MAX_NAMED_CLIPS = 5  # clips that a sentence names; the others are counted
RunClip = Record | TableClip


def describe_run(
    dataset: str,
    pipeline: str,
    options: TrainingOptions,
    features: Sequence[Record] = (),
    table: Sequence[TableClip] = (),
    faults: Sequence[str] = (),
    device: str = "cpu",
) -> RunContents:
    """The contents of a run that this process starts. `device` is the device of this process.

    `PackedRecords` stay packed in them.
    """
    feature_order, feature_facts = _sort_clips(features)
    table_order, table_facts = _sort_clips(table)
    return RunContents(
        dataset=dataset,
        pipeline=pipeline,
        settings=options.settings.model_dump(mode="json"),
        protocol=options.protocol.model_dump(mode="json"),
        seeds=options.seeds,
        classes=options.classes,
        features=pick_records(features, feature_order),
        table=tuple(table[number] for number in table_order),
        data=json_digest([*feature_facts, *table_facts]),
        faults=tuple(faults),
        environment=current_environment(device),
    )


def _sort_clips(clips: Sequence[RunClip]) -> tuple[list[int], list[list[object]]]:
    """The numbers of the clips sorted by key, and in this order their names, digests and labels. Reads each once."""
    found = sorted(
        (clip.key, number, [_run_clip_name(clip), _run_clip_digest(clip), *_run_clip_labels(clip)])
        for number, clip in enumerate(clips)
    )
    return [number for _, number, _ in found], [facts for _, _, facts in found]


def current_environment(device: str) -> Environment:
    """The environment of this process. It has no host name."""
    return Environment(
        code=package_version("merstream"),
        python=".".join(map(str, sys.version_info[:3])),
        platform=f"{platform.system()} {platform.machine()}",
        device=describe_device(device),
        libraries={
            **{name: found for name in RECORDED_LIBRARIES if (found := package_version(name)) != NOT_INSTALLED},
            **describe_torch(),
        },
    )


def _clips_by_name(run: RunContents) -> dict[str, RunClip]:
    clips: tuple[RunClip, ...] = (*run.features, *run.table)
    return {_run_clip_name(clip): clip for clip in clips}


def data_differences(recorded: RunContents, present: RunContents) -> list[str]:
    """A sentence for each kind of difference between the clips of two runs. None for equal clips."""
    before, after = _clips_by_name(recorded), _clips_by_name(present)
    both = sorted(before.keys() & after.keys())
    found = {
        "missing": sorted(before.keys() - after.keys()),
        "not in the run": sorted(after.keys() - before.keys()),
        "of other content": [key for key in both if _run_clip_digest(before[key]) != _run_clip_digest(after[key])],
        "of other labels": [key for key in both if _run_clip_labels(before[key]) != _run_clip_labels(after[key])],
    }
    return [f"{len(keys)} {kind}: {_join_first_names(keys)}" for kind, keys in found.items() if keys]


def environment_differences(recorded: Environment | None, present: Environment | None) -> Iterator[str]:
    """A sentence for each property of the environment that differs from the one in which the run was started."""
    if recorded is None or present is None:
        yield "The run does not state its environment."
        return
    before, after = _flatten_environment(recorded), _flatten_environment(present)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"{name}: the run was started with {before.get(name, 'none')}, this is {after.get(name, 'none')}."


def _flatten_environment(environment: Environment) -> Mapping[str, str]:
    return environment.model_dump(exclude={"libraries"}) | environment.libraries


def _run_clip_name(clip: RunClip) -> str:
    return clip.sample.identity if isinstance(clip, Record) else clip.key


def _run_clip_digest(clip: RunClip) -> str:
    return clip.artifact.sha256 if isinstance(clip, Record) else clip.sha256


def _run_clip_labels(clip: RunClip) -> list[object]:
    labelled = clip.sample if isinstance(clip, Record) else clip
    return [labelled.emotion, sorted(map(str, labelled.aus))]


def _join_first_names(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - MAX_NAMED_CLIPS} more" if len(keys) > MAX_NAMED_CLIPS else ""
    return ", ".join(keys[:MAX_NAMED_CLIPS]) + more
