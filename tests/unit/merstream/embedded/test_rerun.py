"""`mer rerun` on features as `mer run` leaves them: the same bytes, or what differs."""

import json
from pathlib import Path

import numpy as np
import pytest

from merstream.app import main
from merstream.embedded import training
from merstream.embedded.features import load_extracted_features
from merstream.embedded.rerun import repeat_run
from services.trainer.report.writer import REPORT_FILES
from shared.errors import BadData, Misconfigured
from shared.records import Sample
from shared.run_contents import RunContents
from tests.unit.trainer.lab import Lab

TRAIN = {"model": "ststnet", "epochs": 1, "batch": 2, "seed": 3, "seeds": 2, "classes": "a,b"}


def made(home: Path, seed: int = 0) -> Lab:
    """Three clips of each of two subjects, the third of a class that is left out; features as roi-au stores them."""
    rng, clips = np.random.default_rng(seed), []
    for number in range(6):
        sample = Sample(
            dataset="toy", subject=f"s{number // 3}", clip=f"c{number % 3}", emotion="abc"[number % 3],
            onset=0, offset=9, fps=200,
        )  # fmt: skip
        arrays = {
            "patches": rng.normal(0, 0.1, (1, 9, 2, 30, 7, 7)).astype(np.float32),
            "clip": rng.integers(0, 256, (16, 144, 144, 3)).astype(np.uint8),
            "maps": rng.normal(0, 1, (1, 3, 28, 28)).astype(np.float32),
            "factors": np.array([2.0]),
        }
        clips.append((sample, arrays))
    lab = Lab(home, clips)
    lab.extract()
    lab.drop()
    lab.bus.close()
    return lab


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("first")
    made(home)
    training.train_and_report(load_extracted_features([home]), [home], **TRAIN)
    return home


def report(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in REPORT_FILES}


def test_a_run_is_repeated_to_the_byte_elsewhere_and_at_home(trained: Path, tmp_path: Path) -> None:
    made(tmp_path / "other")
    assert repeat_run(trained / "report" / "run.json", [tmp_path / "other"])
    assert report(tmp_path / "other" / "report") == report(trained / "report")
    assert repeat_run(trained / "report" / "run.json")
    assert report(trained / "report" / "repeated") == report(trained / "report")
    assert list((trained / "report" / "repeated" / "folds").iterdir()), "trained anew, not looked up"


def test_run_json_names_every_clip_and_no_path(trained: Path) -> None:
    text = (trained / "report" / "run.json").read_text()
    said = RunContents.decode(text.encode())
    assert [record.sample.clip for record in said.features] == ["c0", "c1", "c2"] * 2
    assert (said.dataset, said.seeds, said.classes) == ("toy", 2, ("a", "b"))
    assert str(trained) not in text
    for name in REPORT_FILES:
        assert str(trained).encode() not in (trained / "report" / name).read_bytes(), name


def test_features_that_differ_are_refused_by_name(trained: Path, tmp_path: Path) -> None:
    made(tmp_path / "other", seed=1)
    with pytest.raises(BadData, match=r"6 of other content: toy/s0/c0, .* and 1 more"):
        repeat_run(trained / "report" / "run.json", [tmp_path / "other"])
    assert not (tmp_path / "other" / "report").exists()


def test_figures_that_differ_are_told(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "other"
    made(home)
    recorded = json.loads((trained / "report" / "report.json").read_text())
    recorded["seeds"]["linear"][1]["uf1"] = 0.125
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    (fetched / "report.json").write_text(json.dumps(recorded))
    (fetched / "run.json").write_bytes((trained / "report" / "run.json").read_bytes())
    assert not repeat_run(fetched / "run.json", [home])
    assert "linear, seed 4, uf1: 0.125000 recorded" in capsys.readouterr().out
    assert mer("rerun", fetched / "run.json", "--out", home, "--jobs", 1) == 1
    with pytest.raises(Misconfigured, match="--out"):
        repeat_run(fetched / "run.json")


def mer(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, arguments)))
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    "more",
    [["--model", "linear"], ["--seed", 0], ["--profile", "corrected"], ["--set", "keep=last"], ["--dataset", "x"]],
)
def test_what_a_run_json_says_can_not_be_said_otherwise(
    trained: Path, more: list[object], capsys: pytest.CaptureFixture[str]
) -> None:
    assert mer("train", "--from", trained / "report" / "run.json", *more) == 2
    assert "--from says how to train" in capsys.readouterr().err
    assert mer("rerun", trained / "report" / "run.json", *more) == 2
    assert "No such option" in capsys.readouterr().err


def test_the_old_spelling_works_and_names_the_new_one(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made(tmp_path / "other")
    file = trained / "report" / "run.json"
    assert mer("train", "--from", file, "--out", tmp_path / "other", "--jobs", 1) == 0
    said = capsys.readouterr()
    assert f"is now `mer rerun {file}`" in said.err
    assert "The figures are those of the report" in said.out


def test_other_libraries_are_warned_of(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "other"
    made(home)
    said = json.loads((trained / "report" / "run.json").read_text())
    said["environment"]["libraries"]["torch"] = "0.1"
    (tmp_path / "run.json").write_text(json.dumps(said))
    assert repeat_run(tmp_path / "run.json", [home]), "nothing recorded, nothing differs"
    assert "torch: the run was started with 0.1" in capsys.readouterr().err


def test_a_table_is_repeated_from_the_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["dataset,subject,clip,label,path"]
    for number in range(6):
        np.savez(tmp_path / f"{number}.npz", maps=rng.normal(0, 1, (3, 28, 28)).astype(np.float32))
        lines.append(f"lab,s{number // 2},c{number % 2},{'ab'[number % 2]},{number}.npz")
    table = tmp_path / "samples.csv"
    table.write_text("\n".join(lines))
    training.train_on_table(table, tmp_path / "own", model="linear")
    file = tmp_path / "own" / "report" / "run.json"
    assert repeat_run(file, [tmp_path / "again"], table)
    assert report(tmp_path / "again" / "report") == report(file.parent)
    with pytest.raises(Misconfigured, match="name it with --features"):
        repeat_run(file)
    table.write_text("\n".join(lines[:-1]))
    with pytest.raises(BadData, match="1 missing: lab/s2/c1"):
        repeat_run(file, [tmp_path / "third"], table)


def test_what_is_no_run_json_is_said(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(BadData, match=r"Not a mer\.run-contents/2"):
        repeat_run(tmp_path / "run.json")
    with pytest.raises(BadData, match=r"expected a run\.json, got No such file"):
        repeat_run(tmp_path / "absent")
