"""The worker's promises, on the embedded bus and store."""

import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from shared.bus import Message
from shared.bus.local import LocalBus
from shared.errors import BadData, MissingWeights, Unavailable
from shared.records import Artifact, Pipeline, Record, Sample, manifest_key
from shared.settings import Settings
from shared.stage import Arrays, Stage, StageSettings
from shared.store import LocalStore, npz
from shared.worker import Worker
from shared.worker.stage_handler import StageHandler, recipe_digest, write_artifact
from tests.background import run_in_background

SAMPLE = Sample(dataset="d", subject="s", clip="c", emotion="happiness", onset=0, apex=1, offset=2, fps=200)
QUICK = Settings(retry_base_seconds=0.001, retry_cap_seconds=0.002)


class Gain(StageSettings):
    gain: float = 2.0


class Lab:
    """A stage that multiplies, its bus and store, and what its compute was asked."""

    def __init__(self, folder: Path) -> None:
        self.bus = LocalBus(folder / "bus.sqlite")
        self.store = LocalStore(folder / "store")
        self.calls = 0
        self.failures: list[Exception] = []
        self.stage = Stage("flow", 1, "magnified", ("magnifier",), "flows", {"corrected": Gain()}, self.compute)
        self.worker = Worker(StageHandler(self.stage, self.store), self.bus, self.store, QUICK)

    def compute(self, inputs: dict[str, Arrays], settings: Gain) -> Arrays:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return {"product": inputs["magnifier"]["value"] * settings.gain}

    def send(self, value: float = 3.0, sample: Sample = SAMPLE, **more: object) -> Record:
        artifact = write_artifact(self.store, f"magnifier/{value}.npz", {"value": np.float64(value)})
        record = Record(sample=sample, stage="magnifier", artifact=artifact, recipe="r", trace="t", **more)
        self.bus.publish("mer.magnified", record.key, record.encode())
        return record

    def output(self) -> Record:
        """The newest one."""
        return Record.decode(list(self.bus.read_newest("mer.flows").values())[-1].value)

    def dead(self) -> Message:
        (message,) = self.bus.read_newest("mer.flow.dlq").values()
        return message


@pytest.fixture
def lab(tmp_path: Path):
    lab = Lab(tmp_path)
    yield lab
    lab.bus.close()


def test_a_record_becomes_an_artifact_a_manifest_and_the_next_record(lab: Lab) -> None:
    lab.send(3.0)
    assert lab.worker.step()
    output = lab.output()
    assert npz.unpack_arrays(lab.store.get(output.artifact.key))["product"] == 6.0
    manifest = Record.decode(lab.store.get(manifest_key(output.artifact.key)))
    assert manifest.model_copy(update={"provenance": None}) == output
    assert manifest.provenance is not None
    assert manifest.provenance.code == version("merstream")
    assert manifest.provenance.libraries["numpy"] == np.__version__
    assert manifest.provenance.seconds >= 0
    assert b"provenance" not in output.encode()
    assert (output.stage, set(output.inputs)) == ("flow", {"magnifier"})
    assert lab.bus.group_progress("mer.magnified", "flow").lag == 0


def test_work_done_is_reused_with_the_labels_of_the_new_record(lab: Lab) -> None:
    lab.send(3.0)
    lab.worker.step()
    lab.send(3.0, SAMPLE.model_copy(update={"emotion": "disgust"}))
    lab.worker.step()
    assert lab.calls == 1
    assert lab.output().sample.emotion == "disgust"
    assert lab.output().provenance is None


def test_a_redelivered_record_asks_the_store_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.send(3.0)
    lab.worker.step()
    lab.send(3.0)
    asked: list[tuple[str, str]] = []
    for name in ("get", "put", "exists"):
        inner = getattr(lab.store, name)
        monkeypatch.setattr(
            lab.store, name, lambda key, *more, name=name, inner=inner: asked.append((name, key)) or inner(key, *more)
        )
    lab.worker.step()
    assert asked == [("get", manifest_key(lab.output().artifact.key))]


def test_a_changed_setting_makes_another_artifact(lab: Lab) -> None:
    lab.send(3.0)
    lab.send(3.0, pipeline=Pipeline(overrides={"flow": {"gain": 5.0}}))
    assert lab.worker.step()
    assert lab.worker.step()
    products = {
        float(npz.unpack_arrays(lab.store.get(k))["product"]) for k in lab.store.list_keys("flow/") if k.endswith("npz")
    }
    assert products == {6.0, 15.0}
    assert len(lab.bus.read_newest("mer.flows")) == 2


@pytest.mark.parametrize(
    ("pipeline", "sentence"),
    [
        (Pipeline(profile="papre"), "Unknown profile 'papre'"),
        (Pipeline(overrides={"flow": {"gian": 1.0}}), "gian"),
    ],
)
def test_a_setting_that_does_not_exist_is_named(lab: Lab, pipeline: Pipeline, sentence: str) -> None:
    lab.send(pipeline=pipeline)
    lab.worker.step()
    assert sentence in lab.dead().headers["reason"]


def test_labels_are_no_part_of_a_recipe() -> None:
    stage = Stage("flow", 1, "magnified", ("magnifier",), "flows", {}, lambda inputs, settings: inputs)
    one = {
        "magnifier": Artifact(key="a", sha256="0" * 64, size=1),
        "ingest": Artifact(key="b", sha256="1" * 64, size=1),
    }
    moved = {**one, "ingest": Artifact(key="b", sha256="2" * 64, size=1)}
    changed = {**one, "magnifier": Artifact(key="a", sha256="3" * 64, size=1)}
    assert recipe_digest(stage, Gain(), one) == recipe_digest(stage, Gain(), moved)
    assert (
        len(
            {
                recipe_digest(stage, Gain(), one),
                recipe_digest(stage, Gain(), changed),
                recipe_digest(stage, Gain(gain=1), one),
            }
        )
        == 3
    )


def test_bad_data_is_buried_once_and_blocks_nothing(lab: Lab) -> None:
    bad = lab.send(1.0)
    lab.send(2.0, SAMPLE.model_copy(update={"clip": "next"}))
    lab.failures = [BadData("no face in frame 3")]
    lab.worker.step()
    lab.worker.step()
    letter = lab.dead()
    assert letter.value == bad.encode()
    assert letter.headers["reason"] == "d/s/c@" + bad.pipeline.digest + ": no face in frame 3"
    assert (letter.headers["stage"], letter.headers["attempts"]) == ("flow", "1")
    assert lab.output().sample.clip == "next"


def test_a_worker_halts_rather_than_drain_a_topic(lab: Lab) -> None:
    most = lab.worker.settings.dead_letters_datasets
    for number in range(most):
        lab.bus.publish("mer.magnified", f"dataset{number}/s/c", b"junk")
        lab.worker.step()
    lab.bus.publish("mer.magnified", "one more/s/c", b"junk")
    with run_in_background(lab.worker.run, lab.worker.stopping.set):
        while not lab.worker.halted:
            time.sleep(0.01)
        assert "Not a mer.record/1" in lab.worker.halted
        assert not lab.worker.is_ready()
        assert not lab.worker.is_stalled(), "a restart by itself would bury on"
        assert lab.worker.metrics.registry.get_sample_value("mer_halted", {"stage": "flow"}) == 1
    assert len(lab.bus.read_newest("mer.flow.dlq")) == most
    assert lab.bus.group_progress("mer.magnified", "flow").lag == 1


def test_a_bad_dataset_stops_no_other(lab: Lab) -> None:
    """500 clips that no stage can use beside a good dataset, and two more bad ones later."""
    bad = [(f"bad/s/{number}", b"junk") for number in range(500)]
    for key, value in [*bad, ("worse/s/c", b"junk")]:
        lab.bus.publish("mer.magnified", key, value)
    good = lab.send(3.0)
    lab.bus.publish("mer.magnified", "worst/s/c", b"junk")
    while lab.worker.step():
        pass
    assert lab.output().sample == good.sample
    assert len(lab.bus.read_newest("mer.flow.dlq")) == len(bad) + 2
    assert lab.bus.group_progress("mer.magnified", "flow").lag == 0


def test_an_undecodable_message_is_buried_as_it_came(lab: Lab) -> None:
    lab.bus.publish("mer.magnified", "k", b"\xffnot json")
    lab.worker.step()
    assert lab.dead().value == b"\xffnot json"
    assert "Not a mer.record/1" in lab.dead().headers["reason"]


def test_trouble_is_waited_out_and_nothing_is_dropped(lab: Lab) -> None:
    lab.failures = [Unavailable("store away"), OSError("disk"), MemoryError(), Unavailable("still")]
    lab.send()
    lab.worker.step()
    assert lab.calls == 5
    assert lab.output().stage == "flow"
    assert lab.bus.read_newest("mer.flow.dlq") == {}


def test_a_frame_larger_than_memory_is_buried_and_nothing_waits_for_it(lab: Lab) -> None:
    def compute(inputs: dict[str, Arrays], settings: Gain) -> Arrays:
        lab.calls += 1
        return {"product": np.ones(int(inputs["magnifier"]["value"]), np.uint8)}

    stage = Stage("flow", 1, "magnified", ("magnifier",), "flows", {"corrected": Gain()}, compute)
    lab.worker.handler = StageHandler(stage, lab.store)
    huge = lab.send(float(1 << 60))
    lab.send(2.0, SAMPLE.model_copy(update={"clip": "beside"}))
    lab.worker.step()
    lab.worker.step()
    assert lab.calls == 3 + 1
    reason = f"{huge.key}: stage 'flow' needs more memory than this process can get (Unable to allocate 1.00 EiB"
    assert lab.dead().headers["reason"].startswith(reason)
    assert lab.output().sample.clip == "beside"
    assert lab.bus.group_progress("mer.magnified", "flow").lag == 0


def test_memory_that_comes_back_and_trouble_do_not_count_together(lab: Lab) -> None:
    lab.failures = [OSError("disk"), Unavailable("away"), OSError("disk"), MemoryError(), MemoryError()]
    lab.send()
    lab.worker.step()
    assert (lab.calls, lab.bus.read_newest("mer.flow.dlq")) == (6, {})


def test_an_error_that_ends_the_work_is_raised_and_keeps_the_record(lab: Lab) -> None:
    waits: list[tuple[str, int, str]] = []
    lab.worker.ends_work = lambda error: str(error) == "full"
    lab.worker.on_wait = lambda stage, attempt, error: waits.append((stage, attempt, str(error)))
    lab.failures = [OSError("away"), OSError("full")]
    lab.send()
    with pytest.raises(OSError, match="full"):
        lab.worker.step()
    assert waits == [("flow", 1, "away")]
    assert lab.bus.group_progress("mer.magnified", "flow").lag == 1


def test_a_surprise_is_tried_three_times_then_buried(lab: Lab) -> None:
    lab.failures = [ZeroDivisionError("division by zero")] * 3
    lab.send()
    lab.worker.step()
    assert "Unexpected ZeroDivisionError: division by zero" in lab.dead().headers["reason"]
    assert lab.dead().headers["attempts"] == "3"


def test_missing_weights_stop_the_process_and_keep_the_record(lab: Lab) -> None:
    lab.failures = [MissingWeights("run mer weights")]
    lab.send()
    with pytest.raises(MissingWeights):
        lab.worker.step()
    assert lab.bus.group_progress("mer.magnified", "flow").lag == 1


def test_a_stop_while_waiting_leaves_the_record_for_another(lab: Lab) -> None:
    lab.failures = [Unavailable("store away")]
    lab.send()
    lab.worker.stopping.set()
    lab.worker.run()
    lab.worker = Worker(StageHandler(lab.stage, lab.store), lab.bus, lab.store, QUICK)
    lab.worker.stopping.set()
    lab.worker.step()
    assert lab.bus.group_progress("mer.magnified", "flow").lag == 1
    lab.worker.close()
    heir = Worker(StageHandler(lab.stage, lab.store), lab.bus, lab.store, QUICK)
    assert heir.step()
    assert lab.output().stage == "flow"


def test_nan_in_an_input_names_array_and_place(lab: Lab) -> None:
    lab.send(float("nan"))
    lab.worker.step()
    reason = lab.dead().headers["reason"]
    assert "array 'value' () has 1 values that are NaN or infinite" in reason
    assert lab.calls == 0


def test_a_changed_artifact_under_the_same_key_is_refused(lab: Lab) -> None:
    record = lab.send()
    lab.store.put(record.artifact.key, npz.pack_arrays({"value": np.float64(4)}))
    lab.worker.step()
    assert "it was changed after it was written" in lab.dead().headers["reason"]


def test_a_missing_artifact_is_named(lab: Lab) -> None:
    record = lab.send()
    lab.store.delete(record.artifact.key)
    lab.worker.step()
    assert record.artifact.key in lab.dead().headers["reason"]


def test_an_artifact_without_manifest_does_not_exist(lab: Lab) -> None:
    lab.send()
    lab.worker.step()
    lab.store.delete(manifest_key(lab.output().artifact.key))
    lab.send()
    lab.worker.step()
    assert lab.calls == 2
    assert lab.store.exists(manifest_key(lab.output().artifact.key))


def test_revoked_work_is_neither_published_nor_committed(lab: Lab) -> None:
    def lose(inputs: dict[str, Arrays], settings: Gain) -> Arrays:
        lab.worker.close()
        return {"product": np.float64(0)}

    lab.send()
    stage = Stage("flow", 1, "magnified", ("magnifier",), "flows", {"corrected": Gain()}, lose)
    lab.worker.handler = StageHandler(stage, lab.store)
    lab.worker.step()
    assert lab.bus.read_newest("mer.flows") == {}
    assert lab.bus.group_progress("mer.magnified", "flow").lag == 1
