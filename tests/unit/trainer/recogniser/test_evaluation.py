"""`evaluate_recogniser`: the classes of MEGC2019, what is left out or refused, and the figures."""

import csv
from pathlib import Path

import numpy as np
import pytest

from merstream.shipped_model.map_drawing import draw_maps_of_faces
from services.trainer.recogniser.evaluation import (
    ClipRecognition,
    evaluate_recogniser,
    score_clips,
    score_units_of_clips,
)
from services.trainer.recogniser.labels import FINE_CLASSES
from services.trainer.recogniser.loading import load_recogniser


def test_figures_are_those_of_a_hand_count() -> None:
    answers = [("negative", "negative", 0.9), ("negative", "positive", 0.6), ("positive", "positive", 0.8)]
    answers += [("surprise", "surprise", 0.5)]
    clips = [
        ClipRecognition(
            dataset="lab",
            subject=f"s{number % 2}",
            clip=str(number),
            label=expected,
            expected=expected,
            recognised=recognised,
            emotions={"negative": sure, "positive": 0.1, "surprise": 0.1, "none": 0.95},
            action_units={},
        )
        for number, (expected, recognised, sure) in enumerate(answers)
    ]
    figures = score_clips(clips)
    assert figures.uf1 == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert figures.uar == pytest.approx((1 / 2 + 1 + 1) / 3)
    assert figures.confusion == ((1, 1, 0), (0, 1, 0), (0, 0, 1))
    assert (figures.clips, figures.subjects, figures.counts) == (4, 2, {"negative": 2, "positive": 1, "surprise": 1})
    assert (figures.confident_share, figures.confident_accuracy) == (0.5, 1.0)


def describe_clip(units: tuple[int, ...] | None, **found: float) -> ClipRecognition:
    answers = {"expected": "negative", "recognised": "negative", "emotions": {"negative": 1.0}}
    names = {"dataset": "lab", "subject": "s", "clip": "c", "label": "anger"}
    shown = {name.removeprefix("au"): value for name, value in found.items()}
    return ClipRecognition(**names, **answers, action_units=shown, coded_units=units)  # type: ignore[arg-type]


def test_action_units_are_scored_on_coded_clips_alone() -> None:
    clips = [
        describe_clip((4, 7), au4=0.9, au7=0.2, au12=0.1),
        describe_clip((0,), au4=0.8, au7=0.1, au12=0.2),  # coded, and shows none
        describe_clip(None, au4=0.9, au7=0.9, au12=0.9),
    ]
    scores = score_units_of_clips(clips)
    assert scores is not None
    assert (scores.clips, scores.shown) == (2, {"4": 1, "7": 1, "12": 0})
    assert scores.f1 == {"4": pytest.approx(2 / 3), "7": 0.0, "12": None}
    assert scores.macro == pytest.approx(1 / 3)
    assert score_units_of_clips(clips[2:]) is None


def test_the_shipped_model_is_scored_on_drawn_maps(drawn_table: Path) -> None:
    counted = []
    found = evaluate_recogniser(
        load_recogniser(), drawn_table, on_clip=lambda done, total: counted.append((done, total))
    )
    assert found.figures.uf1 > 0.8
    assert found.figures == found.by_dataset["lab"]
    assert found.geometries == {"aligned": found.figures.clips}
    assert counted[-1] == (found.figures.clips, found.figures.clips)
    assert [clip.expected == clip.recognised for clip in found.clips].count(True) / len(
        found.clips
    ) == found.figures.accuracy


def test_stretched_maps_are_read_in_the_published_geometry(tmp_path: Path) -> None:
    drawn, rows = draw_maps_of_faces(78, range(1, 3), 30), ["dataset,subject,clip,label,path,depth"]
    labels = {"happiness": "positive", "surprise": "surprise"}
    for number, (values, fine) in enumerate(zip(drawn.published, drawn.fine, strict=True)):
        if 0 <= fine < len(FINE_CLASSES):
            np.savez(tmp_path / f"{number}.npz", maps=values)
            label = labels.get(FINE_CLASSES[fine], "negative")
            rows.append(f"lab{number % 2},s{drawn.faces[number]},c{number},{label},{number}.npz,min-max")
    (tmp_path / "samples.csv").write_text("\n".join(rows))
    right = evaluate_recogniser(load_recogniser(), tmp_path / "samples.csv")
    assert set(right.geometries) == {"published"}
    assert set(right.by_dataset) == {"lab0", "lab1"}
    wrong = evaluate_recogniser(load_recogniser(), tmp_path / "samples.csv", "aligned")
    assert right.figures.uf1 > max(0.8, wrong.figures.uf1)


def test_a_run_is_scored_without_networks_that_saw_the_person(drawn_table: Path, loso_run: Path) -> None:
    """The same answers as in the run's own report."""
    found = evaluate_recogniser(load_recogniser(loso_run), drawn_table)
    with (loso_run / "report" / "predictions.csv").open() as file:
        reported = {row["clip"]: row["predicted"] for row in csv.DictReader(file)}
    assert {f"{clip.dataset}/{clip.subject}/{clip.clip}": clip.recognised for clip in found.clips} == reported
    assert found.warnings == {}
