"""A run as it is stated before it is trained (run.json), and what differs where it is to be repeated."""

import platform
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import torch

from services.trainer.options import Choice
from shared.records import Environment, Record, RunContents, TableClip, digest

LIBRARIES = ("torch", "numpy", "scikit-learn", "scipy", "safetensors", "threadpoolctl", "pydantic")
NAMED = 5  # clips of a sentence; the others are counted
Clip = Record | TableClip


def stated(
    dataset: str,
    pipeline: str,
    choice: Choice,
    features: Iterable[Record] = (),
    table: Iterable[TableClip] = (),
    faults: Sequence[str] = (),
    device: str = "cpu",
) -> RunContents:
    """What a run consists of; `device` is that of this process, which starts it."""
    records = tuple(sorted(features, key=lambda clip: clip.key))
    rows = tuple(sorted(table, key=lambda clip: clip.key))
    clips: tuple[Clip, ...] = (*records, *rows)
    return RunContents(
        dataset=dataset,
        pipeline=pipeline,
        settings=choice.settings.model_dump(mode="json"),
        protocol=choice.protocol.model_dump(mode="json"),
        seeds=choice.seeds,
        classes=choice.classes,
        features=records,
        table=rows,
        data=digest([[_name(clip), _content(clip), *_labels(clip)] for clip in clips]),
        faults=tuple(faults),
        environment=environment(device),
    )


def environment(device: str) -> Environment:
    """Of this process; no host's name is in it."""
    gpu = f" ({torch.cuda.get_device_name(device)})" if torch.device(device).type == "cuda" else ""
    return Environment(
        code=installed("merstream") or "not installed",
        python=".".join(map(str, sys.version_info[:3])),
        platform=f"{platform.system()} {platform.machine()}",
        device=device + gpu,
        libraries={
            **{name: found for name in LIBRARIES if (found := installed(name))},
            "torch": str(torch.__version__),
        },
    )


def installed(package: str) -> str | None:
    """Its version."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _clips_by_name(run: RunContents) -> dict[str, Clip]:
    clips: tuple[Clip, ...] = (*run.features, *run.table)
    return {_name(clip): clip for clip in clips}


def differences(then: RunContents, now: RunContents) -> list[str]:
    """A sentence per kind of clip that is not as it was; none where the features are the same."""
    before, after = _clips_by_name(then), _clips_by_name(now)
    both = sorted(before.keys() & after.keys())
    found = {
        "missing": sorted(before.keys() - after.keys()),
        "not in the run": sorted(after.keys() - before.keys()),
        "of other content": [key for key in both if _content(before[key]) != _content(after[key])],
        "of other labels": [key for key in both if _labels(before[key]) != _labels(after[key])],
    }
    return [f"{len(keys)} {kind}: {_listed(keys)}" for kind, keys in found.items() if keys]


def elsewhere(then: Environment | None, now: Environment | None) -> Iterator[str]:
    """A sentence for whatever of the environment is not what the run was started in."""
    if then is None or now is None:
        yield "The run does not say what it was started with."
        return
    before, after = _flat(then), _flat(now)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield f"{name}: the run was started with {before.get(name, 'none')}, here is {after.get(name, 'none')}."


def _flat(environment: Environment) -> Mapping[str, str]:
    return environment.model_dump(exclude={"libraries"}) | environment.libraries


def _name(clip: Clip) -> str:
    return clip.sample.identity if isinstance(clip, Record) else clip.key


def _content(clip: Clip) -> str:
    return clip.artifact.sha256 if isinstance(clip, Record) else clip.sha256


def _labels(clip: Clip) -> list[object]:
    labelled = clip.sample if isinstance(clip, Record) else clip
    return [labelled.emotion, sorted(map(str, labelled.aus))]


def _listed(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(keys[:NAMED]) + more
