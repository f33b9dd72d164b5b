"""`mer train --features`: from a samples.csv to a report."""

import json
from pathlib import Path

import numpy as np
import pytest

from merstream.app import main


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng, lines = np.random.default_rng(0), ["dataset,subject,clip,label,aus,path"]
    for number in range(8):
        shift = (-1) ** number * np.array([3.0, 0, 0])[:, None, None]
        np.savez(tmp_path / f"{number}.npz", maps=rng.normal(0, 0.1, (3, 28, 28)) + shift)
        lines.append(f"lab,s{number % 4 // 2},c{number},{'ab'[number % 2]},R4,{number}.npz")
    (tmp_path / "samples.csv").write_text("\n".join(lines))
    return tmp_path / "samples.csv"


def train(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments])
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("capsys")
def test_the_report_compares_with_what_can_be_trained_on_a_table(table: Path, tmp_path: Path) -> None:
    place = ["--features", str(table), "--out", str(tmp_path / "own"), "--jobs", "1"]
    assert train(*place, "--model", "rcn-a", "--epochs", "1", "--protocol", "loso") == 0
    report = json.loads((tmp_path / "own" / "report" / "report.json").read_text())
    assert (report["model"], sorted(report["baselines"])) == ("rcn-a", ["linear", "majority"])
    assert report["baselines"]["linear"]["uf1"] == 1
    assert report["data"]["samples"] == 8


def test_what_does_not_go_together_is_told(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--features", str(table), "--model", "fmer-lite") == 1
    assert "expected patches and maps for the model 'fmer-lite', got maps" in capsys.readouterr().err
    assert train("--features", str(table), "--pipeline", "0123") == 2
    assert "--features goes without --stack" in capsys.readouterr().err
