"""A run of one's own recognises: which networks answer, and what is said of people who trained them."""

import csv
from pathlib import Path

import numpy as np
import pytest

from services.trainer.folds.store import load_outcome
from services.trainer.recogniser import run_recogniser
from services.trainer.recogniser.loading import load_recogniser
from services.trainer.recogniser.run_recogniser import find_person, load_run
from shared.errors import BadData
from shared.store import LocalStore
from tests.unit.trainer.recogniser.drawn_runs import train_run


def read_maps(table: Path, clip: str) -> np.ndarray:
    with np.load(table.with_name(f"{clip.removeprefix('c')}.npz")) as stored:
        return np.asarray(stored["maps"][None], np.float32)


def test_a_person_of_the_run_is_recognised_by_the_fold_that_held_the_person_out(
    drawn_table: Path, loso_run: Path
) -> None:
    recogniser = load_run(loso_run)
    outcomes = [load_outcome(LocalStore(loso_run / "report"), network.key) for network in recogniser.run.networks]
    assert len(outcomes) == 4
    for outcome in outcomes:
        assert outcome is not None
        for name, expected in zip(outcome.names[:3], outcome.emotions[:3], strict=True):
            found = recogniser.recognise(read_maps(drawn_table, name.rsplit("/", 1)[1]), subject=outcome.held_out)
            assert list(found.emotions.values()) == pytest.approx(expected, abs=1e-5)
            assert found.warnings == ()


def test_other_spellings_of_a_person_are_the_person(drawn_table: Path, loso_run: Path) -> None:
    recogniser, maps = load_run(loso_run), read_maps(drawn_table, first_clip(drawn_table))
    alone = recogniser.recognise(maps, subject="lab/s2")
    for name in ("s2", "S02", "lab/sub02"):
        assert recogniser.recognise(maps, subject=name).emotions == alone.emotions
    assert recogniser.recognise(maps, subject="lab/s3").emotions != alone.emotions


def test_a_stranger_is_recognised_by_all_networks(drawn_table: Path, loso_run: Path) -> None:
    recogniser, maps = load_run(loso_run), read_maps(drawn_table, first_clip(drawn_table))
    stranger = recogniser.recognise(maps, subject="lab/s9")
    singles = [recogniser.recognise(maps, subject=f"lab/s{number}") for number in (1, 2, 3, 4)]
    mean = np.mean([list(single.emotions.values()) for single in singles], 0)
    assert list(stranger.emotions.values()) == pytest.approx(mean)
    assert stranger.warnings == ()


def test_nobody_named_is_warned_of(drawn_table: Path, loso_run: Path) -> None:
    recogniser, maps = load_run(loso_run), read_maps(drawn_table, first_clip(drawn_table))
    found = recogniser.recognise(maps)
    assert "name the person with --subject" in found.warnings[0]
    assert found.emotion in ("negative", "positive", "surprise")
    assert found.fine_emotions == {}


def test_a_person_whom_every_network_saw_is_warned_of(drawn_table: Path, tmp_path: Path) -> None:
    train_run(drawn_table, tmp_path / "report", protocol="split", test_subjects=("s1",))
    recogniser, maps = load_run(tmp_path), read_maps(drawn_table, first_clip(drawn_table))
    assert "lab/s2 trained every network" in recogniser.recognise(maps, subject="lab/s2").warnings[0]
    assert recogniser.recognise(maps, subject="lab/s1").warnings == ()


def test_few_networks_are_taken_evenly(drawn_table: Path, loso_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_recogniser, "MOST_NETWORKS", 2)
    recogniser = load_run(loso_run)
    chosen = run_recogniser.take_evenly(list(recogniser.run.networks))
    assert chosen == [recogniser.run.networks[0], recogniser.run.networks[-1]]


def test_the_run_says_what_it_is(loso_run: Path) -> None:
    recogniser = load_recogniser(loso_run)
    assert recogniser.digest == load_recogniser(loso_run / "report").digest != ""
    assert recogniser.name == f"pooled-linear of {loso_run}"
    assert recogniser.trained_on.endswith("clips of 4 people of lab")
    assert recogniser.needs == ("maps",)


def test_a_folder_without_a_run_or_without_weights_is_refused(
    drawn_table: Path, loso_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadData, match=r"expected `shipped` or a folder of a run"):
        load_recogniser(tmp_path)
    train_run(drawn_table, tmp_path / "report")
    next((tmp_path / "report" / "folds").glob("*.safetensors")).unlink()
    with pytest.raises(BadData, match=r"expected the weights of 4 networks below folds/, got 3"):
        load_recogniser(tmp_path)


def test_a_missing_array_is_refused(loso_run: Path) -> None:
    with pytest.raises(BadData, match="the event: expected maps for the model 'pooled-linear', got patches"):
        load_run(loso_run).recognise_features({"patches": np.zeros((1, 9, 2, 30, 7, 7), np.float32)})


def test_people_are_found_in_their_own_dataset_alone() -> None:
    people = frozenset({"casme2/sub01", "samm/006", "smic/s1"})
    assert find_person("casme2/1", people) == {"casme2/sub01"}
    assert find_person("samm/1", people) == set()
    assert find_person("01", people) == {"casme2/sub01", "smic/s1"}


def first_clip(table: Path) -> str:
    with table.open() as file:
        return next(csv.DictReader(file))["clip"]
