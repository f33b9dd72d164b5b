"""What is printed of a report."""

import json
from pathlib import Path

import pytest

from merstream.cli.report_view import order_report_files, print_report, read_report
from shared.errors import BadData

FIGURES = {"samples": 4, "uf1": 0.875, "uar": 0.5, "accuracy": 1.0, "per_class": [], "per_subject": []}
INTERVAL = {"uf1": [0.8, 0.9], "uar": [0, 1], "accuracy": [0, 1]}
CLASSES = {"classes": ["disgust", "others"], "confusion": [[2, 0], [1, 1]], "interval": INTERVAL}
SEED = {"uf1": 0.875, "uar": 0.875, "accuracy": 0.875, "au_f1": None}


def spreads(*figures: tuple[float | None, float | None]) -> dict[str, object]:
    return {name: {"mean": mean, "sd": sd} for name, (mean, sd) in zip(SEED, figures, strict=True)}


REPORT = {
    "schema": "mer.report/2",
    "protocol": {
        "name": "loso",
        "title": "leave-one-subject-out",
        "hold_out": "subject",
        "groups": 2,
        "folds": 2,
        "classes": ["disgust", "others"],
        "counts": {},
        "left_out": {},
        "faults": ["Class fear: all of its clips are of s1."],
        "remark": "",
        "settings": {},
    },
    "model": "linear",
    "seed": 3,
    "settings": {},
    "code": "1",
    "data": {
        "digest": "d",
        "samples": 4,
        "subjects": 2,
        "datasets": ["lab"],
        "classes": {},
        "left_out": {},
        "faults": [],
        "factors": [2.0],
        "test_factor": 2.0,
        "aus": {},
    },
    "result": {**FIGURES, **CLASSES, "aus": {"macro": None, "units": []}},
    "baselines": {"majority": {**FIGURES, **CLASSES, "aus": {"macro": 0.25, "units": []}}},
    "seeds": {"linear": [{"seed": 3, **SEED}], "majority": [{"seed": 3, **SEED}]},
    "spread": {
        "linear": spreads((0.875, None), (0.875, None), (0.875, None), (None, None)),
        "majority": spreads(*[(0.25, None)] * 4),
    },
    "per_dataset": {},
    "oracle": None,
    "curves": {"loss": [], "emotion_loss": [], "au_loss": [], "uf1": [], "rate": []},
    "mistakes": {"total": 1, "of": 4, "shown": []},
    "folds": [],
}


def test_figures_are_printed_and_an_absent_one_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    print_report(tmp_path)
    said = capsys.readouterr().out
    assert "leave-one-subject-out; 4 clips of 2 subjects, seed 3" in said
    assert "0.875 [0.800, 0.900]" in said
    assert "mind Class fear: all of its clips are of s1." in said
    assert "±" not in said
    assert [cell.strip() for cell in row(said, "linear")] == ["linear", "0.875 [0.800, 0.900]", "0.875", "0.875", "–"]
    assert row(said, "majority")[-1].strip() == "0.250"
    assert "disgust" in said


def row(said: str, learner: str) -> list[str]:
    """Of the table of learners."""
    return next(line for line in said.splitlines() if f"│ {learner} " in line).strip("│").split("│")


def test_of_several_seeds_mean_and_deviation_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seeds = {name: [{"seed": seed, **SEED} for seed in (3, 4)] for name in ("linear", "majority")}
    spread = {name: spreads(*((0.8, k / 1000) for k in range(4))) for name in seeds}
    (tmp_path / "report.json").write_text(json.dumps({**REPORT, "seeds": seeds, "spread": spread}))
    print_report(tmp_path)
    said = capsys.readouterr().out
    assert "mean ± standard deviation over seeds 3, 4; of seed 3 UF1 0.875 [0.800, 0.900]" in said
    cells = [cell.strip() for cell in row(said, "majority")[1:]]
    assert cells == ["0.800 ± 0.000", "0.800 ± 0.001", "0.800 ± 0.002", "0.800 ± 0.003"]


def test_clips_that_were_not_coded_for_units_are_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    aus = {"macro": 0.25, "units": [], "mean_over": [4, 12], "clips": 3}
    for coded, said_so in ((3, True), (4, False)):
        changes = {
            "data": {**REPORT["data"], "au_clips": coded},  # type: ignore[dict-item]
            "baselines": {"majority": {**FIGURES, **CLASSES, "aus": {**aus, "clips": coded}}},
        }
        (tmp_path / "report.json").write_text(json.dumps({**REPORT, **changes}))
        print_report(tmp_path)
        sentence = "AU macro F1: mean over AU 4, 12; 3 of 4 clips, those coded for action units"
        assert (sentence in capsys.readouterr().out) == said_so


def test_report_json_is_downloaded_last() -> None:
    assert order_report_files(["report.json", "run.json", "latex.tex"]) == ["latex.tex", "run.json", "report.json"]


def test_a_file_that_is_no_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"report.json: expected a report, got none"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps({**REPORT, "seed": "x"}))
    with pytest.raises(BadData, match=r"report.json: expected a report of schema mer.report/2, got seed"):
        print_report(tmp_path)
