"""Trainers as containers start them, on a real Kafka and a real S3: they share a run, one is killed in mid-fold, and
the report is the embedded one."""

import signal
from collections import Counter
from pathlib import Path

from services.trainer import experiment
from services.trainer.data import features
from services.trainer.evaluation.plan import EvaluationPlan
from services.trainer.report.writer import REPORT_FILES
from shared.bus.topics import dead_letter_topic
from shared.connect import open_bus, open_store
from shared.records import FoldResult, RunResult, Sample
from shared.settings import Settings
from shared.stage import Arrays
from shared.training.clip_selection import select_by_protocol
from shared.training.options import resolve_options
from tests.integration.trainer_lab import SUBJECTS, TRAIN, Trainer, clips, drop, environment, results, wait

__all__ = ["clips", "environment"]


def test_two_trainers_share_a_run_and_one_that_is_killed_is_no_loss(
    clips: list[tuple[Sample, Arrays]], environment: None, tmp_path: Path
) -> None:
    choice = resolve_options("corrected", TRAIN, "cpu")
    found = select_by_protocol([sample for sample, _ in clips], choice.protocol)
    apexes = {"spotted": len(clips)}  # none is coded
    evaluation = EvaluationPlan(
        features.features_from_pairs(clips), choice.protocol, choice.seeds, found, apexes=apexes
    )
    experiment.run_experiment(evaluation, choice.settings, tmp_path / "embedded")
    bus, store = open_bus(Settings()), open_store(Settings())
    victim, heir = trainers = [Trainer(tmp_path / name) for name in ("victim.log", "heir.log")]
    try:
        wait(lambda: victim.ready() and heir.ready(), trainers)
        drop(clips, bus, store)
        wait(victim.training, trainers)
        victim.process.kill()
        wait(lambda: bool(results(bus, RunResult)), [heir])
        told = heir.says("/metrics")[1]
    finally:
        codes = [trainer.end() for trainer in trainers]
        done, folds = results(bus, RunResult), results(bus, FoldResult)
        buried = {group: dict(bus.read_newest(dead_letter_topic(group).name)) for group in ("planner", "trainer")}
        bus.close()
    assert codes == [-signal.SIGKILL, 0]
    assert buried == {"planner": {}, "trainer": {}}
    assert [result.status for result in done] == ["done"]
    assert Counter(fold.learner for fold in folds) == dict.fromkeys(("fmer-lite", "majority", "linear"), SUBJECTS)
    assert set(done[0].files) == {*REPORT_FILES, "run.json"}
    for name in REPORT_FILES:
        assert store.get(done[0].files[name]) == (tmp_path / "embedded" / name).read_bytes(), name
    assert 'mer_train_folds_total{model="fmer-lite",outcome="computed"}' in told
