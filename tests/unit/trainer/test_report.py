import base64
import csv
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from services.trainer import experiment, report
from services.trainer.evaluation import Evaluation
from services.trainer.folds import Outcome
from services.trainer.learner import Epoch
from services.trainer.settings import TrainSettings


@pytest.fixture(scope="module")
def made(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    features = replace(toy(3, 3), left_out={"fear": 2})
    return (
        folder,
        features,
        experiment.run(Evaluation(features), TrainSettings(epochs=2, seed=5), folder, code="1.2+abc"),
    )


def test_report_says_what_it_was_made_from(made):
    folder, features, said = made
    kept = json.loads((folder / "report.json").read_text())
    assert kept == json.loads(json.dumps(said))
    assert kept["schema"] == "mer.report/2"
    assert "leave-one-subject-out" in kept["protocol"]["title"]
    assert kept["code"] == "1.2+abc"
    assert kept["seed"] == kept["settings"]["seed"] == 5
    assert kept["data"]["digest"] == features.digest
    assert kept["data"]["classes"] == {"disgust": 3, "happiness": 3, "surprise": 3}
    assert kept["data"]["left_out"] == {"fear": 2}
    assert kept["data"]["test_factor"] == 2.0
    assert set(kept["baselines"]) == {"majority", "linear"}
    assert [fold["tested_on"] for fold in kept["folds"]] == [3, 3, 3]
    assert np.array(kept["curves"]["loss"]).shape == (3, 2)


def test_a_second_start_writes_the_same_report(made):
    folder, features, _ = made
    before = {name: (folder / name).read_bytes() for name in ("report.json", "report.html", "predictions.csv")}
    experiment.run(Evaluation(features), TrainSettings(epochs=2, seed=5), folder, code="1.2+abc")
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_page_stands_alone_and_its_pictures_are_drawn(made):
    folder, _, said = made
    page = (folder / "report.html").read_text()
    assert "http" not in page.replace("http://www.w3.org", "")
    pictures = [part.split('"')[0] for part in page.split("data:image/svg+xml;base64,")[1:]]
    assert len(pictures) == 4
    for picture in pictures:
        assert ElementTree.fromstring(base64.b64decode(picture)).tag.endswith("svg")
    assert f"{said['result']['uf1']:.3f}" in page
    assert "oracle, never the result" in page
    assert "majority" in page
    assert said["data"]["digest"] in page
    assert "fear 2" in page


def test_predictions_hold_every_clip_once_with_chances(made):
    folder, features, _ = made
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["clip"] for row in rows] == features.names.tolist()
    assert [row["emotion"] for row in rows] == [features.classes[e] for e in features.emotions]
    for row in rows:
        chances = {name: float(row[f"p_{name}"]) for name in features.classes}
        assert sum(chances.values()) == pytest.approx(1, abs=1e-3)
        assert chances[row["predicted"]] == max(chances.values())
    assert [int(row["au12"]) for row in rows] == features.aus[:, 4].tolist()


def outcome(features, subject, watched, predicted):
    names = [name for name in features.names.tolist() if name.startswith(subject)]
    epochs = [Epoch(i, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, tuple(w)) for i, w in enumerate(watched)]
    return Outcome(subject, names, np.eye(3)[predicted].tolist(), [[0.0] * 9] * len(names), epochs, 0)


def test_oracle_takes_each_folds_best_epoch_and_the_result_does_not(toy):
    features = toy(2, 3)  # the truth of both subjects is 0, 1, 2
    outcomes = [
        outcome(features, "toy/s00", [[0, 1, 2], [0, 0, 0]], [0, 0, 0]),
        outcome(features, "toy/s01", [[2, 2, 2], [0, 1, 1]], [0, 1, 1]),
    ]
    oracle = report.oracle(features, outcomes)
    assert oracle["accuracy"] == pytest.approx(5 / 6)
    assert report.figures_of(features, outcomes, 0)["accuracy"] == pytest.approx(3 / 6)
    assert report.oracle(features, [replace(o, epochs=[]) for o in outcomes]) is None


def test_a_page_without_oracle_curves_and_baselines_still_renders(toy):
    features = toy(2, 3)
    outcomes = [outcome(features, subject, [], [0, 1, 1]) for subject in ("toy/s00", "toy/s01")]
    page = report.page(
        report.summary(Evaluation(features), TrainSettings(model="majority"), {"majority": {0: outcomes}})
    )
    assert "oracle" not in page.split("<section>")[1]
    assert "Training</h2>" not in page


def test_names_from_a_coding_sheet_are_escaped(toy):
    features = replace(toy(2, 3), classes=("<script>x", "b", "c"))
    outcomes = [outcome(features, subject, [], [0, 1, 1]) for subject in ("toy/s00", "toy/s01")]
    assert "<script>" not in report.page(
        report.summary(Evaluation(features), TrainSettings(), {"fmer-lite": {0: outcomes}})
    )
