"""`mer train --features`: from a samples.csv to a report."""

import json
from pathlib import Path

import numpy as np
import pytest

import merstream
from merstream.app import main
from shared.errors import BadData


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
    network = report["settings"]["network"]
    assert (network["map_head"], network["map_scaling"]) == ("none", "per-clip")  # maps of others


def test_what_does_not_go_together_is_told(table: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train("--features", str(table), "--model", "fmer-lite") == 1
    assert "expected patches and maps for the model 'fmer-lite', got maps" in capsys.readouterr().err
    assert train("--features", str(table), "--pipeline", "0123") == 2
    assert "--features goes without --stack" in capsys.readouterr().err


PEOPLE_AND_CLIPS = 8, 8
UF1_BY_PERSON = 0.3118279569892473  # without a leak: the maps say nothing of the emotion


@pytest.fixture(scope="module")
def personal_maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Maps that tell the person and nothing of the emotion. Each person shows one emotion."""
    folder, rng = tmp_path_factory.mktemp("maps"), np.random.default_rng(0)
    lines = []
    people, clips = PEOPLE_AND_CLIPS
    for person in range(1, people + 1):
        own = rng.normal(size=(3, 28, 28))
        label = ["happiness", "surprise"][rng.integers(2)]
        label = ["happiness", "surprise"][person - 1] if person <= 2 else label
        for clip in range(clips):
            name = f"p{person}c{clip}.npz"
            np.savez(folder / name, maps=(own + 0.3 * rng.normal(size=own.shape)).astype("f4"))
            lines.append(f"{{0}},{person},{clip},clip{clip},{label},{name}")
    (folder / "rows").write_text("\n".join(lines))
    return folder


def write_people(folder: Path, ways: tuple[str, str], datasets: tuple[str, str] = ("lab", "lab")) -> Path:
    """The table of these maps. Every second clip of a person has the second way of writing the name."""
    lines = ["dataset,subject,clip,label,path"]
    for line in (folder / "rows").read_text().splitlines():
        _, person, number, *rest = line.split(",")
        way = int(number) % 2
        lines.append(",".join([datasets[way], ways[way].format(int(person)), *rest]))
    file = folder / f"{abs(hash((ways, datasets)))}.csv"
    file.write_text("\n".join(lines))
    return file


@pytest.mark.parametrize(
    "ways",
    [
        ("sub{:02}", "{}"),
        ("{:02}", "{}"),
        ("P_{:02}", "P{:02}"),
        ("P{:02}", "P {:02}"),
        ("s-{}", "s{}"),
        ("{:02}", "{:02}_s2"),
        ("vp{}", "Participant {:03}"),
        ("{:02}-t1", "{:02}-t2"),
    ],
)
def test_a_person_in_two_spellings_is_refused_before_any_file_is_read(
    personal_maps: Path, tmp_path: Path, ways: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "samples.csv"  # the maps are elsewhere
    alone.write_bytes(write_people(personal_maps, ways).read_bytes())
    assert train("--features", str(alone), "--model", "linear", "--out", str(tmp_path / "own")) == 1
    said = capsys.readouterr().err
    for person in range(1, 9):
        for way in ways:
            assert f"lab/{way.format(person)}" in said.replace("\n", " ")
    assert "--distinct" in said
    assert not (tmp_path / "own").exists()


def test_a_dataset_in_two_spellings_is_refused(personal_maps: Path) -> None:
    with pytest.raises(BadData, match=r"^Lab 1/1 and lab1/1; Lab 1/2 and lab1/2; "):
        merstream.evaluate(write_people(personal_maps, ("{}", "{}"), ("Lab 1", "lab1")))


def test_written_alike_there_is_no_leak_and_distinct_people_are_trained_apart(
    personal_maps: Path, tmp_path: Path
) -> None:
    alike = merstream.evaluate(write_people(personal_maps, ("{:02}", "{:02}")), out=tmp_path / "alike")
    assert alike.result.uf1 == pytest.approx(UF1_BY_PERSON)
    assert "distinct" not in (tmp_path / "alike" / "report" / "run.json").read_text()
    floats = merstream.evaluate(write_people(personal_maps, ("{}", "{}.0")))  # a number of a spreadsheet, and told
    assert floats.result.uf1 == pytest.approx(UF1_BY_PERSON)
    apart = write_people(personal_maps, ("{:02}", "{:02}_s2"))
    out = tmp_path / "apart"
    assert train("--features", str(apart), "--model", "linear", "--out", str(out), "--jobs", "1", "--distinct") == 0
    report = json.loads((out / "report" / "report.json").read_text())
    assert report["result"]["uf1"] == 1
    assert report["protocol"]["groups"] == 16
    assert report["protocol"]["settings"]["distinct"] is True
    assert "spelled alike are different people: lab/01 and lab/01_s2; " in " ".join(report["protocol"]["faults"])
    with pytest.raises(SystemExit) as ended:
        main(["rerun", str(out / "report" / "run.json"), "--features", str(apart), "--jobs", "1"])
    assert not ended.value.code
