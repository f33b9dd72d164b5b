"""Clips through a chain of five small stages of which only the features are kept."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from shared.bus.local import LocalBus
from shared.records import Pipeline, Record, Sample, manifest_key
from shared.settings import Settings
from shared.stage import Arrays, Stage, StageSettings
from shared.store import LocalStore
from shared.worker import Worker
from shared.worker.stage_handler import StageHandler, write_artifact

SAMPLE = Sample(dataset="d", subject="s", clip="c", emotion="happiness", onset=0, apex=1, offset=2, fps=200)
QUICK = Settings(retry_base_seconds=0.001, retry_cap_seconds=0.002)
WAY = {  # stage: topics that it consumes and produces, the stage before it
    "ingest": ("sources", "clips", "source"),
    "interpolator": ("clips", "interpolated", "ingest"),
    "magnifier": ("interpolated", "magnified", "interpolator"),
    "flow": ("magnified", "flows", "magnifier"),
    "roi-au": ("flows", "features", "flow"),
}
ONCE = dict.fromkeys(WAY, 1)


class Gain(StageSettings):
    gain: float = 2.0


class Lab:
    """Each stage multiplies by its gain; `calls` counts by stage."""

    def __init__(self, folder: Path, keep: Literal["all", "features"]) -> None:
        self.bus, self.store = LocalBus(folder / "bus.sqlite"), LocalStore(folder / "store")
        self.calls: Counter[str] = Counter()
        tasks = [StageHandler(self._stage(name, *topics), self.store, keep) for name, topics in WAY.items()]
        self.workers = [Worker(task, self.bus, self.store, QUICK) for task in tasks]

    def _stage(self, name: str, consumes: str, produces: str, reads: str) -> Stage[Gain]:
        def compute(inputs: Mapping[str, Arrays], settings: Gain) -> Arrays:
            self.calls[name] += 1
            return {"value": inputs[reads]["value"] * settings.gain}

        return Stage(name, 1, consumes, (reads,), produces, {"corrected": Gain()}, compute)

    def send(self, sample: Sample = SAMPLE, **gains: float) -> None:
        """A clip whose source is the number 1."""
        overrides = {name.replace("_", "-"): {"gain": gain} for name, gain in gains.items()}
        artifact = write_artifact(self.store, "source/d/s/c/r.npz", {"value": np.float64(1)})
        about = {"sample": sample, "recipe": "r", "trace": "t", "pipeline": Pipeline(overrides=overrides)}
        record = Record(stage="source", artifact=artifact, **about)
        self.store.put(manifest_key(artifact.key), record.encode())
        self.bus.publish("mer.sources", record.key, record.encode())
        self.work()

    def work(self) -> None:
        """Until nothing is left to do: 50 steps are more than any of these clips takes."""
        for _ in range(50):
            if not any(worker.step() for worker in self.workers):
                return
        raise AssertionError("a clip goes round and round")

    def features(self, **gains: float) -> Record:
        pipeline = Pipeline(overrides={name.replace("_", "-"): {"gain": gain} for name, gain in gains.items()})
        found = [Record.decode(message.value) for message in self.bus.read_newest("mer.features").values()]
        return [record for record in found if record.pipeline == pipeline][-1]

    def arrays(self) -> set[str]:
        return {entry.key.split("/")[0] for entry in self.store.list_objects() if entry.key.endswith(".npz")}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path, "features")
    yield lab
    lab.bus.close()


def test_everything_is_kept_unless_said_otherwise(tmp_path: Path) -> None:
    lab = Lab(tmp_path, "all")
    lab.send()
    assert lab.arrays() == {"source", *WAY}
    lab.bus.close()


def test_features_source_and_all_manifests_stay(lab: Lab) -> None:
    lab.send()
    assert lab.arrays() == {"source", "roi-au"}
    made_from = lab.features().inputs
    assert set(made_from) == {"source", *WAY} - {"roi-au"}
    assert all(lab.store.exists(manifest_key(artifact.key)) for artifact in made_from.values())


def test_a_clip_that_comes_again_needs_none_of_what_is_gone(lab: Lab) -> None:
    lab.send()
    lab.send(SAMPLE.model_copy(update={"emotion": "disgust"}))
    assert lab.calls == ONCE
    assert lab.features().sample.emotion == "disgust"


def test_another_setting_of_a_late_stage_computes_what_is_gone_again(lab: Lab, tmp_path: Path) -> None:
    lab.send()
    lab.send(roi_au=3.0)
    assert lab.calls == dict.fromkeys(WAY, 2)
    assert lab.arrays() == {"source", "roi-au"}
    whole = Lab(tmp_path / "whole", "all")
    whole.send(roi_au=3.0)
    assert lab.features(roi_au=3.0).artifact == whole.features(roi_au=3.0).artifact
    assert not lab.bus.read_newest("mer.roi-au.dlq")
    whole.bus.close()


def test_only_what_is_gone_is_computed_again(tmp_path: Path) -> None:
    """Whoever deleted it: a person, or a lifecycle rule of the bucket."""
    lab = Lab(tmp_path, "all")
    lab.send()
    lab.store.delete(lab.features().inputs["flow"].key)
    lab.send(roi_au=3.0)
    assert lab.calls == ONCE | {"flow": 2, "roi-au": 2}
    lab.bus.close()


def test_killed_before_they_were_deleted_they_are_deleted_by_the_next(lab: Lab) -> None:
    lab.workers[-1].handler = StageHandler(
        lab.workers[-1].handler.stage, lab.store, "all"
    )  # the arrays stay, as after a kill
    lab.send()
    assert "flow" in lab.arrays()
    lab.workers[-1].handler = StageHandler(lab.workers[-1].handler.stage, lab.store, "features")
    lab.send()
    assert lab.arrays() == {"source", "roi-au"}
    assert lab.calls["roi-au"] == 1


def test_without_its_source_a_clip_is_a_dead_letter(lab: Lab) -> None:
    lab.send()
    waiting = lab.features().model_copy(update={"pipeline": Pipeline(overrides={"roi-au": {"gain": 3.0}})})
    flow = Record.decode(lab.store.get(manifest_key(waiting.inputs["flow"].key)))
    lab.store.delete(waiting.inputs["source"].key)
    again = flow.model_copy(update={"pipeline": waiting.pipeline})
    lab.bus.publish("mer.flows", again.key, again.encode())
    lab.work()
    (letter,) = lab.bus.read_newest("mer.roi-au.dlq").values()
    assert "Nothing is stored" in letter.headers["reason"]
    assert lab.store.exists(manifest_key(waiting.inputs["source"].key))
