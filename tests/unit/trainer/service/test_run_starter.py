"""When a dropped dataset is trained on, and on what."""

import threading

import pytest

from services.trainer.service.metrics import TrainingMetrics
from services.trainer.service.run_starter import RunStarter
from shared.errors import Misconfigured
from shared.pipeline_state import PipelineState
from shared.run_contents import RunContents
from shared.telemetry import Metrics
from tests.unit.trainer.lab import PIPELINE

MAJORITY = {"model": "majority"}


def contents(lab):
    """Of every run that was started."""
    return [RunContents.decode(lab.store.get(key)) for key in lab.store.list_keys("runs/")]


def test_nothing_starts_before_the_dataset_is_complete_and_every_clip_through(lab, trainer):
    one = trainer()
    lab.extract(lab.clips[:5])
    lab.drop(complete=False, **MAJORITY)
    one.look()
    lab.drop(**MAJORITY)
    one.look()
    assert lab.published("mer.runs") == 0
    lab.extract(lab.clips[5:])
    one.look()
    assert lab.published("mer.runs") == 1
    (run,) = contents(lab)
    assert [record.sample for record in run.features] == [sample for sample, _ in lab.clips]


def test_a_complete_set_of_features_does_not_start_what_is_not_complete(lab, trainer):
    lab.extract()
    lab.drop(complete=False, **MAJORITY)
    trainer().look()
    assert lab.published("mer.runs") == 0


def test_a_clip_that_was_dropped_anew_waits_for_its_own_features(lab, trainer):
    one = trainer()
    lab.extract()
    lab.drop(drops={"c01": 1}, **MAJORITY)
    one.look()
    assert lab.published("mer.runs") == 0
    lab.extract([pair for pair in lab.clips if pair[0].clip == "c01"], drop=1)
    one.look()
    assert lab.published("mer.runs") == 1
    assert {record.recipe[-1] for record in contents(lab)[0].features if record.sample.clip == "c01"} == {"1"}


def test_a_buried_clip_is_left_out_and_named_with_its_reason(lab, trainer):
    one = trainer()
    lab.extract(lab.clips[:5])
    lab.drop(faults=("toy/s02/c00: no such file.",), **MAJORITY)
    lab.bury(5)
    one.look()
    (run,) = contents(lab)
    assert run.faults == ("toy/s02/c00: no such file.", "toy/s01/c02: flow: no face")
    assert len(run.features) == 5
    states = ("expected", "features", "left_out", "waiting")
    digest = run.pipeline
    assert [one.value("mer_train_clips", dataset="toy", pipeline=digest, state=s) for s in states] == [7, 5, 2, 0]


def test_a_letter_of_an_earlier_drop_leaves_nothing_out(lab, trainer):
    lab.extract(lab.clips[:5])
    lab.drop(drops={"c02": 1}, **MAJORITY)
    lab.extract(lab.clips[2:3], drop=1)
    lab.bury(5, drop=0)
    trainer().look()
    assert lab.published("mer.runs") == 0


def test_a_replayed_letter_is_awaited_and_its_clip_makes_another_run(lab, trainer):
    one = trainer()
    lab.extract(lab.clips[:5])
    lab.drop(**MAJORITY)
    lab.bury(5)
    one.work()
    lab.replay()
    one.look()
    assert lab.published("mer.runs") == 1
    lab.extract(lab.clips[5:])
    one.work()
    assert lab.published("mer.runs") == 2
    data = [lab.report(each).data for each in lab.results().values()]
    assert [each.samples for each in data] == [5, 6]
    assert [each.faults for each in data] == [("toy/s01/c02: flow: no face",), ()]


def test_a_corrected_label_makes_another_run_of_the_same_artifacts(lab, trainer):
    one = trainer()
    lab.extract()
    lab.drop(**MAJORITY)
    one.work()
    artifacts = list(lab.store.list_keys("roi-au/"))
    lab.relabel("happiness", 0)
    lab.extract(lab.clips[:1])
    lab.drop(**MAJORITY)
    one.work()
    assert list(lab.store.list_keys("roi-au/")) == artifacts
    first, second = lab.results().values()
    assert first.status == second.status == "done"
    assert first.run != second.run


def test_labels_that_are_corrected_one_after_the_other_are_one_run(lab, trainer):
    one = trainer()
    lab.drop(**MAJORITY)
    lab.extract()
    one.look()
    lab.relabel("happiness", 0, 1, 2)
    lab.drop(**MAJORITY)
    for clip in range(3):
        one.look()
        assert lab.published("mer.runs") == 1, f"{clip} of 3 corrected records are there"
        lab.extract(lab.clips[clip : clip + 1])
    one.look()
    assert lab.published("mer.runs") == 2
    emotions = [[record.sample.emotion for record in run.features] for run in contents(lab)]
    assert [sample.emotion for sample, _ in lab.clips] in emotions


def test_two_conductors_start_one_run_under_one_id(lab, trainer):
    one, other = trainer(), trainer()
    lab.extract()
    lab.drop(**MAJORITY)
    for each in (one, other, one, other):
        each.look()
    assert len(contents(lab)) == 1
    (run,) = lab.bus.read_newest("mer.runs").values()
    assert lab.published("mer.runs") == 1
    lab.bus.publish("mer.runs", run.key, run.value)  # as if both had looked at the same moment
    one.work()
    assert lab.published("mer.folds") == 8  # two learners, two subjects, planned twice; found the second time
    assert one.value("mer_train_folds_total", model="majority", outcome="reused") == 2
    assert lab.result().status == "done"


def test_a_clip_that_nobody_works_on_is_lost_and_one_in_work_is_not(lab, trainer, caplog):
    one = trainer()
    lab.extract(lab.clips[:5])
    lab.drop(**MAJORITY)
    digest = PIPELINE.digest

    def counted() -> list[float | None]:
        one.look()
        return [one.value("mer_train_clips", dataset="toy", pipeline=digest, state=s) for s in ("waiting", "lost")]

    lab.bus.publish("mer.flows", "any", b"in work")
    assert counted() == [1, 0]
    member = lab.bus.subscribe("mer.flows", "roi-au")
    member.commit(member.take_message(0))
    assert counted() == [1, 1]
    sample = lab.clips[5][0]
    assert [line for line in caplog.messages if "lost" in line] == [
        f"1 clips of toy are lost, such as {sample.identity}: it has neither features nor a dead letter, and nobody "
        "works on it."
    ]
    assert lab.published("mer.runs") == 0
    lab.extract(lab.clips[5:])
    assert counted() == [0, 0]
    assert lab.published("mer.runs") == 1


def test_a_record_that_comes_late_changes_nothing(lab, trainer):
    """From a worker that was frozen before it published, or from a letter that was replayed."""
    lab.extract()
    lab.drop(drops={"c01": 1}, **MAJORITY)
    lab.extract([pair for pair in lab.clips if pair[0].clip == "c01"], drop=1)
    lab.extract([pair for pair in lab.clips if pair[0].clip == "c01"], drop=0)
    one = trainer()
    one.look()
    assert lab.published("mer.runs") == 1
    assert one.value("mer_train_clips", dataset="toy", pipeline=PIPELINE.digest, state="waiting") == 0
    assert {record.recipe[-1] for record in contents(lab)[0].features if record.sample.clip == "c01"} == {"1"}


def test_a_run_that_is_done_is_not_started_again(lab, trainer):
    lab.extract()
    lab.drop(**MAJORITY)
    trainer().work()
    another = trainer()
    another.work()
    assert lab.published("mer.runs") == 1
    assert another.value("mer_train_accuracy", dataset="toy", pipeline=lab.result().pipeline, model="majority") < 0.5


def test_other_settings_are_another_run(lab, trainer):
    one = trainer()
    lab.extract()
    lab.drop(**MAJORITY)
    one.work()
    lab.drop(**MAJORITY, seed=1)
    one.work()
    assert [result.seed for result in lab.results().values()] == [0, 1]


@pytest.mark.parametrize(
    ("train", "reason"),
    [
        ({"model": "resnet"}, "model 'resnet': Input should be 'fmer', 'fmer-lite', "),
        ({"epocs": 3}, "epocs 3: no such training setting; there are model, seed"),
        ({"profile": "best"}, "Unknown profile 'best'"),
        ({"classes": 3}, "classes 3: expected a list of emotions"),
        ({"protocol": "lono"}, "No protocol 'lono'; there are casme2-5, "),
        (MAJORITY | {"protocol": "k-fold"}, "at least 5 subjects for 5 folds, got 2: toy/s00, toy/s01"),
        (MAJORITY | {"classes": ["happiness", "fear"]}, "No clip shows fear"),
    ],
)
def test_settings_that_make_no_sense_end_as_a_failed_result_once(lab, trainer, train, reason):
    lab.extract()
    lab.drop(**train)
    for one in (trainer(), trainer()):
        one.work()
    result = lab.result()
    assert result.status == "failed"
    assert reason in result.reason
    assert lab.published("mer.results") == 1
    assert lab.published("mer.trainer.dlq") == lab.published("mer.planner.dlq") == 0


def test_one_subject_or_no_clip_at_all_ends_as_a_failed_result(lab, trainer):
    lab.clips = lab.clips[:3]
    lab.extract()
    lab.drop(**MAJORITY)
    trainer().work()
    assert "at least 2 subjects, got 1" in lab.result().reason
    lab.clips = []
    lab.drop(faults=("sheet.csv: no such column.",), **MAJORITY)
    trainer().work()
    assert "No features at all" in list(lab.results().values())[-1].reason


def test_what_is_no_dataset_stops_no_other(lab, trainer):
    lab.bus.publish("mer.datasets", "junk", b"{}")
    lab.bus.publish("mer.features", "junk", b"")
    lab.bus.publish("mer.flow.dlq", "mer.magnified/0@0", b"junk", {"key": "k"})
    lab.extract()
    lab.drop(**MAJORITY)
    one = trainer()
    one.work()
    assert lab.result().status == "done"


def test_a_dataset_that_is_gone_is_shown_no_more(lab, trainer):
    one = trainer()
    lab.drop(**MAJORITY)
    one.look()
    (key,) = lab.bus.read_newest("mer.datasets")
    labels = {"dataset": "toy", "pipeline": key.split("@")[1], "state": "waiting"}
    assert one.value("mer_train_clips", **labels) == 6
    lab.bus.publish("mer.datasets", key, None)
    one.look()
    assert one.value("mer_train_clips", **labels) is None


class AwayState(PipelineState):
    """The state on a bus whose broker can be away."""

    trouble: Exception | None = None

    def read_snapshot(self, *patience):
        if self.trouble:
            raise self.trouble
        return super().read_snapshot(*patience)


def test_trouble_is_waited_out_and_readiness_follows(lab):
    state, metrics = AwayState(lab.bus, lab.store), Metrics()
    starter = RunStarter(state, metrics, TrainingMetrics(metrics.registry), "cpu", 0, threading.Event())
    assert not starter.is_ready()
    starter.try_poll()
    assert starter.is_ready()
    for trouble in (OSError("no broker"), ZeroDivisionError()):
        state.trouble = trouble
        starter.try_poll()
        assert not starter.is_ready()
    assert metrics.registry.get_sample_value("mer_retries_total", {"stage": "conductor"}) == 2
    state.trouble = None
    starter.try_poll()
    assert starter.is_ready()
    state.trouble = Misconfigured("no such broker")
    with pytest.raises(Misconfigured):
        starter.try_poll()
