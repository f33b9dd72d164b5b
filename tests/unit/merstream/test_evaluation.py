"""The Python functions that train and test: a table of features to a typed report."""

import json
from pathlib import Path

import numpy as np
import pytest

import merstream
from services.trainer.report.model import Report
from shared.errors import BadData, Misconfigured
from tests.unit.merstream.embedded.test_rerun import made


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Eight clips of two subjects. The maps of class a and b differ by far more than the noise."""
    rng, lines = np.random.default_rng(0), ["dataset,subject,clip,label,aus,path"]
    for number in range(8):
        shift = (-1) ** number * np.array([3.0, 0, 0])[:, None, None]
        np.savez(tmp_path / f"{number}.npz", maps=rng.normal(0, 0.1, (3, 28, 28)) + shift)
        lines.append(f"lab,s{number % 4 // 2},c{number},{'ab'[number % 2]},R4,{number}.npz")
    (tmp_path / "samples.csv").write_text("\n".join(lines))
    return tmp_path / "samples.csv"


def test_a_table_is_evaluated_in_silence(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = merstream.evaluate(table)
    assert isinstance(report, Report)
    assert (report.model, report.result.uf1, report.result.uar, report.result.accuracy) == ("linear", 1, 1, 1)
    assert list(report.baselines) == ["majority"]
    assert capsys.readouterr() == ("", "")


def test_options_reach_the_training_and_the_folder_keeps_the_report(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "own"
    report = merstream.evaluate(str(table), "rcn-a", "k-fold", str(out), 2, epochs=1, seed=3, folds=2, batch=4)
    written = json.loads((out / "report" / "report.json").read_text())
    assert (report.model, report.seed, report.result.uf1) == ("rcn-a", 3, written["result"]["uf1"])
    assert [row["seed"] for row in written["seeds"]["rcn-a"]] == [3, 4]
    assert written["protocol"]["name"] == "k-fold"
    assert (written["settings"]["epochs"], written["settings"]["batch"]) == (1, 4)
    assert (out / "report" / "run.json").exists()


def test_wrong_tables_and_options_are_refused(table: Path, tmp_path: Path) -> None:
    with pytest.raises(BadData, match="expected a table, got No such file"):
        merstream.evaluate(tmp_path / "none.csv")
    with pytest.raises(Misconfigured, match="model 'resnet'"):
        merstream.evaluate(table, "resnet")
    with pytest.raises(Misconfigured, match="no such training setting"):
        merstream.evaluate(table, epcohs=3)
    with pytest.raises(Misconfigured, match="protocol"):
        merstream.evaluate(table, protocol="lobo")
    with pytest.raises(Misconfigured, match="Unknown profile"):
        merstream.evaluate(table, profile="papre")


def test_a_run_is_refused_before_any_work(tmp_path: Path) -> None:
    for options, fault in (
        ({"model": "resnet"}, "model 'resnet'"),
        ({"settings": {"floe": {}}}, "No stage 'floe'"),
        ({"reading": {"colour": 1}}, "`reading` with some of prefer, corrections, labels, fps, got colour"),
        ({"profile": "papre"}, "Unknown profile"),
        ({"jobs": 0}, "jobs"),
    ):
        with pytest.raises(Misconfigured, match=fault):
            merstream.run(tmp_path / "data", tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
    with pytest.raises(BadData, match="expected a dataset folder"):
        merstream.run(tmp_path / "data", tmp_path / "out")


def test_features_of_run_folders_are_arrays(tmp_path: Path) -> None:
    made(tmp_path / "run")
    features = merstream.load_features(tmp_path / "run")
    assert features.arrays["patches"].shape == (6, 1, 9, 2, 30, 7, 7)
    assert features.arrays["clip"].shape == (6, 16, 144, 144, 3)
    assert (features.classes, features.emotions.tolist()) == (("a", "b", "c"), [0, 1, 2, 0, 1, 2])
    assert features.subjects.tolist() == ["toy/s0"] * 3 + ["toy/s1"] * 3
    again = merstream.load_features([str(tmp_path / "run")])
    assert again.digest == features.digest
    with pytest.raises(BadData, match="expected the folder of an earlier run"):
        merstream.load_features(tmp_path / "none")
