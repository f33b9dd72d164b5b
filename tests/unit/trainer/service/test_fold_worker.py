"""A run as its folds: equal to the embedded one, shared by workers, and whole again after any kill."""

import json
from contextlib import suppress

import pytest

from services.trainer import experiment
from services.trainer.data import features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.report.writer import REPORT_FILES
from services.trainer.service.fold_worker import FoldHandler
from services.trainer.service.metrics import TrainingMetrics
from shared.pipeline_state import PipelineState
from shared.records import Dataset, FoldRequest, FoldResult, Run
from shared.run_contents import RunContents
from shared.telemetry import Metrics
from shared.training import definition
from shared.training.clip_selection import select_by_protocol
from shared.training.fold_course import COURSES, FoldCourse, course_key
from shared.training.options import resolve_options
from tests.unit.trainer.lab import Killed, Lab, Life, Trainer, version

LITE = {"model": "fmer-lite", "epochs": 2, "batch": 2}
LINEAR = {"model": "linear"}


def embedded(lab, folder, train):
    """The files of `mer train` on the same features."""
    choice = resolve_options("corrected", train, "cpu")
    found = select_by_protocol([sample for sample, _ in lab.clips], choice.protocol, choice.classes)
    clips = features.features_from_pairs(lab.clips)
    evaluation = EvaluationPlan(clips, choice.protocol, choice.seeds, found, apexes={"coded": len(clips)})
    experiment.run_experiment(evaluation, choice.settings, folder)
    return {name: (folder / name).read_bytes() for name in REPORT_FILES}


def reported(lab, result):
    """The files of the report; and run.json is among what is told, but written by whoever started the run."""
    files = dict(result.files)
    stated = RunContents.decode(lab.store.get(files.pop("run.json")))
    assert len(stated.data) == 64
    assert stated.environment.device == "cpu"
    return {name: lab.store.get(key) for name, key in files.items()}


def test_the_report_is_the_embedded_one_byte_for_byte(lab, trainer, tmp_path):
    one = trainer()
    lab.extract()
    lab.drop(**LITE)
    one.work()
    result = lab.result()
    assert lab.published("mer.trainer.dlq") == 0
    assert reported(lab, result) == embedded(lab, tmp_path / "run", LITE)
    ours = {key: data for key, data in lab.content().items() if key.startswith("folds/")}
    kept = {file.name: file.read_bytes() for file in (tmp_path / "run" / "folds").iterdir()}
    assert {key.removeprefix("folds/"): data for key, data in ours.items()} == kept


def test_results_tell_of_every_fold_and_of_the_figures(lab, trainer):
    one = trainer()
    lab.extract()
    lab.drop(**LITE)
    one.work()
    result = lab.result()
    report = lab.report(result)
    assert (result.dataset, result.model, result.seed, result.status) == ("toy", "fmer-lite", 0, "done")
    assert set(result.figures) == {"fmer-lite", "majority", "linear"}
    assert result.figures["fmer-lite"].uf1 == report.result.uf1
    assert result.figures["linear"].au_f1 == report.baselines["linear"].au_f1
    folds = [FoldResult.decode(m.value) for k, m in lab.bus.read_newest("mer.results").items() if "/" in k]
    assert len(folds) == 6
    assert {(fold.trained_on, fold.tested_on) for fold in folds} == {(3, 3)}
    assert all(lab.store.exists(fold.outcome) and fold.seconds is not None for fold in folds)
    assert one.value("mer_train_folds_total", model="fmer-lite", outcome="computed") == 2
    assert one.value("mer_train_fold_seconds_count", model="linear") == 2
    assert lab.published("mer.trainer.dlq") == 0
    assert one.value("mer_compute_seconds_count", stage="trainer") == 6
    assert one.value("mer_train_epoch_loss", model="fmer-lite") > 0
    one.look()
    labels = {"dataset": "toy", "pipeline": result.pipeline, "model": "fmer-lite"}
    assert one.value("mer_train_uf1", **labels) == report.result.uf1


KFOLD = LINEAR | {"protocol": "k-fold", "folds": 2, "seeds": 2, "seed": 4}


def test_folds_by_another_protocol_and_of_several_seeds_are_the_embedded_ones(lab, trainer, tmp_path):
    lab.extract()
    lab.drop(**KFOLD)
    trainer().work()
    result = lab.result()
    assert (result.status, result.protocol, result.seed, result.seeds) == ("done", "k-fold", 4, 2)
    assert reported(lab, result) == embedded(lab, tmp_path / "run", KFOLD)
    folds = [FoldResult.decode(m.value) for k, m in lab.bus.read_newest("mer.results").items() if "/" in k]
    told = sorted((fold.learner, fold.seed, fold.held_out) for fold in folds)
    assert told == [(name, seed, f"fold-{k}") for name in ("linear", "majority") for seed in (4, 5) for k in (1, 2)]
    report = lab.report(result)
    assert [row.seed for row in report.seeds["linear"]] == [4, 5]
    assert result.figures["linear"].uf1 == report.spread["linear"].uf1.mean
    assert report.result.uf1 == report.seeds["linear"][0].uf1


def test_protocol_and_seeds_make_another_run(lab, trainer):
    one = trainer()
    lab.extract()
    for train in (LINEAR, LINEAR | {"seeds": 2}, LINEAR | {"protocol": "k-fold", "folds": 2}, KFOLD, LINEAR):
        lab.drop(**train)
        one.work()
    assert len(lab.results()) == 4
    assert {result.status for result in lab.results().values()} == {"done"}


def publish_lite_run(lab):
    """The run of the lab's dataset, published; and the state that can cancel it."""
    lab.extract()
    lab.drop(**LITE)
    state = PipelineState(lab.bus, lab.store)
    snapshot = state.read_snapshot()
    (dataset,) = snapshot.datasets.values()
    choice = resolve_options("corrected", LITE, "cpu")
    run, contents = definition.compose_run([(dataset, snapshot.progress_of(dataset))], choice)
    state.publish_run(run, contents)
    return state, run, contents


def test_a_cancelled_run_trains_no_fold_until_it_is_started_again(lab, trainer):
    state, run, contents = publish_lite_run(lab)
    one = trainer()
    one.planner.step()
    state.cancel_run(run, "cancelled by ada")
    one.work()
    assert (lab.result().status, lab.result().reason) == ("cancelled", "cancelled by ada")
    assert not [key for key in lab.content() if key.startswith(("folds/", "reports/"))]
    assert one.value("mer_train_folds_total", model="fmer-lite", outcome="cancelled") == 2
    state.withdraw_ending(run)
    state.publish_run(run, contents)
    one.work()
    assert lab.result().status == "done"


def test_a_fold_stops_between_two_steps_once_its_run_is_cancelled(lab):
    state, run, contents = publish_lite_run(lab)
    asked = []

    def cancel_at_third_question():
        asked.append(run.id)
        if len(asked) == 3:
            state.cancel_run(run, "cancelled by ada")
        return False

    metrics = Metrics()
    handler = FoldHandler(
        lab.store, TrainingMetrics(metrics.registry), should_stop=cancel_at_third_question, ask_seconds=0
    )
    learner, seed, held_out = definition.list_folds(contents.features, definition.options_of_run(contents, run.id))[0]
    fold = FoldRequest(run=run, learner=learner, seed=seed, held_out=held_out)
    assert handler.handle(fold.encode(), metrics) == ("cancelled", [])
    assert len(asked) == 3
    assert not [key for key in lab.content() if key.startswith("folds/") and "checkpoint" not in key]


def test_a_fold_can_be_followed_while_it_is_trained(lab):
    """Each epoch is stored with those before it, and nothing is left when the fold is done."""
    _, run, contents = publish_lite_run(lab)
    learner, seed, held_out = definition.list_folds(contents.features, definition.options_of_run(contents, run.id))[0]
    fold = FoldRequest(run=run, learner=learner, seed=seed, held_out=held_out)
    seen = []

    def look_at_course():
        if course_key(fold) in lab.content():
            seen.append(FoldCourse.decode(lab.store.get(course_key(fold))))
        return False

    metrics = Metrics()
    handler = FoldHandler(lab.store, TrainingMetrics(metrics.registry), should_stop=look_at_course, write_seconds=0)
    outcome_word, (result, *_) = handler.handle(fold.encode(), metrics)
    assert outcome_word == "computed"
    stored = json.loads(lab.store.get(FoldResult.decode(result.value).outcome))
    first = seen[0]
    assert (first.learner, first.seed, first.held_out, first.trained_on, first.tested_on) == (
        learner,
        seed,
        held_out,
        3,
        3,
    )
    assert (first.loss, first.uf1) == ((stored["epochs"][0]["loss"],), (stored["epochs"][0]["uf1"],))
    assert course_key(fold) not in lab.content()


def test_a_course_that_a_dead_worker_left_is_deleted_with_its_run(lab, trainer):
    state, run, contents = publish_lite_run(lab)
    one = trainer()
    one.planner.step()
    for learner, seed, held_out in definition.list_folds(
        contents.features, definition.options_of_run(contents, run.id)
    ):
        lab.store.put(course_key(FoldRequest(run=run, learner=learner, seed=seed, held_out=held_out)), b"{}")
    assert len(list(lab.store.list_keys(COURSES))) > 1
    state.cancel_run(run, "cancelled by ada")
    one.work()
    assert list(lab.store.list_keys(COURSES)) == []


def test_dropped_datasets_are_pooled_and_told_apart(tmp_path, pooled):
    """Whole datasets are held out, under the catalogue's names."""
    lab, datasets = pooled
    choice = resolve_options("corrected", LINEAR | {"protocol": "cd6me", "allow_other_counts": True}, "cpu")
    state = PipelineState(lab.bus, lab.store)
    run, contents = definition.compose_run(
        [(each, state.read_snapshot().progress_of(each)) for each in datasets], choice
    )
    assert (run.dataset, run.protocol) == ("CASME II+samm", "cd6me")
    again, other = definition.compose_run(
        [(each, state.read_snapshot().progress_of(each)) for each in datasets[::-1]], choice, "meta"
    )
    assert (run.id, contents.data) == (again.id, other.data)
    assert contents.environment.device != other.environment.device, "where a run is started shapes nothing of it"
    state.publish_run(run, contents)
    one = Trainer(lab.home)
    one.work()
    one.close()
    report = lab.report(lab.result())
    assert [fold.held_out for fold in report.folds] == ["casme2", "samm"]
    assert set(report.per_dataset["linear"]) == set(report.per_dataset["majority"]) == {"CASME II", "samm"}
    assert sum(figures.samples for figures in report.per_dataset["linear"].values()) == 12
    assert report.protocol.hold_out == "dataset"
    assert report.protocol.title.endswith("(NOT with the published counts)")
    assert len([fault for fault in report.protocol.faults if "none of its clips are here" in fault]) == 4


@pytest.fixture
def pooled(tmp_path, lab):
    """Two dropped datasets and their features, of people of their own."""
    clips = [
        (sample.model_copy(update={"dataset": name}), {**arrays, "patches": arrays["patches"] + place})
        for place, name in enumerate(("samm", "CASME II"))
        for sample, arrays in lab.clips
    ]
    both = Lab(tmp_path / "pooled", clips)
    both.extract()
    datasets = []
    for name in ("samm", "CASME II"):
        mine = {sample.identity: version(sample) for sample, _ in clips if sample.dataset == name}
        datasets.append(Dataset(name=name, clips=mine, complete=True))
    yield both, datasets
    both.bus.close()


def test_a_copy_of_a_clip_fails_the_run_and_both_are_named(lab, trainer):
    sample, _ = lab.clips[5]
    lab.clips[5] = (sample, lab.clips[2][1])
    lab.extract()
    lab.drop(**LINEAR)
    trainer().work()
    assert lab.result().status == "failed"
    assert "toy/s00/c02 and toy/s01/c02 have the same content" in lab.result().reason


def test_counts_that_a_protocol_does_not_have_fail_the_run(lab, trainer):
    lab.extract()
    lab.drop(**LINEAR, protocol="casme2-5", datasets={"toy": "casme2"})
    trainer().work()
    assert "casme2-5: casme2 must give 246 clips" in lab.result().reason
    assert "allow_other_counts" in lab.result().reason


def test_two_workers_share_a_run_and_may_both_finish_it(lab, trainer):
    one, other = trainer(), trainer()
    lab.extract()
    lab.drop(**LINEAR)
    one.look()
    while one.planner.step():
        pass
    while any([one.folds.step(), other.folds.step()]):
        pass
    counts = [each.value("mer_train_folds_total", model="linear", outcome="computed") for each in (one, other)]
    assert counts == [1, 1]
    before = lab.content()
    key = next(iter(key for key in before if key.endswith("report.json")))
    lab.store.delete(key)  # as if the other had not seen it yet
    (run,) = (Run.decode(message.value) for message in lab.bus.read_newest("mer.runs").values())
    lab.bus.publish("mer.runs", run.key, run.encode())
    other.work()
    assert lab.content() == before
    assert lab.result().status == "done"


def done(home, clips, life):
    """A trainer's life on the dropped dataset, and then another's; what lies in the store, and what is left to do."""
    lab = Lab(home, clips)
    lab.extract()
    lab.drop(**LINEAR)
    for one in (Trainer(home, life), Trainer(home)):
        with suppress(Killed):
            one.work()
        one.close()
    lags = [
        lab.bus.group_progress(topic, group).lag for topic, group in (("mer.runs", "planner"), ("mer.folds", "trainer"))
    ]
    content, result = lab.content(), lab.result()
    lab.bus.close()
    return content, (result.run, result.status, result.figures), lags


# A fold has four effects, so every fifth meets each kind.
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.exhaustive)])
def test_killed_before_any_effect_the_next_ends_with_the_same_bytes(lab, tmp_path, step):
    """Puts, publications and commits are all that others can see: killed anywhere is killed before one of them."""
    life = Life()
    whole = done(tmp_path / "whole", lab.clips, life)
    assert life.seen > 25
    assert whole[2] == [0, 0]
    for number in range(0, life.seen, step):
        assert done(tmp_path / str(number), lab.clips, Life(number)) == whole, number


def test_an_artifact_that_was_changed_fails_the_run_by_name_and_what_was_reported_stays(lab, trainer):
    lab.extract()
    lab.drop(**LINEAR)
    one = trainer()
    one.look()
    key = next(iter(lab.store.list_keys("roi-au/")))
    sound = lab.store.get(key)
    lab.store.put(key, sound + b" ")
    one.work()
    assert lab.result().status == "failed"
    assert "toy/s00/c00" in lab.result().reason
    assert "was changed after it was written" in lab.result().reason
    assert lab.published("mer.trainer.dlq") == 0
    lab.store.put(key, sound)
    (run,) = (Run.decode(message.value) for message in lab.bus.read_newest("mer.runs").values())
    lab.bus.publish("mer.runs", run.key, run.encode())
    one.work()
    assert lab.result().status == "done"
    lab.store.put(key, b"")
    another = trainer()
    lab.bus.publish("mer.runs", run.key, run.encode())
    another.work()
    assert lab.result().status == "done"


def test_asked_to_stop_a_training_leaves_its_fold_to_others(lab, trainer):
    lab.extract()
    lab.drop(**(LITE | {"epochs": 500}))
    one = trainer()
    one.look()
    one.planner.step()
    one.folds.stopping.set()
    assert one.folds.step()
    one.folds.close()
    assert not list(lab.store.list_keys("folds/"))
    assert lab.bus.group_progress("mer.folds", "trainer").lag == 6


def test_a_fold_that_its_run_does_not_have_is_buried(lab, trainer):
    lab.extract()
    lab.drop(**LINEAR)
    one = trainer()
    one.look()
    one.planner.step()
    message = next(iter(lab.bus.read_newest("mer.folds").values()))
    lab.bus.publish("mer.folds", "0", message.value.replace(b'"toy/s0', b'"toy/s9'))
    one.work()
    (letter,) = lab.bus.read_newest("mer.trainer.dlq").values()
    assert "has no fold of" in letter.headers["reason"]
    assert lab.result().status == "done"
