"""`evaluate_recogniser`: the classes of MEGC2019, what is left out or refused, and the figures."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from merstream.shipped_model.map_drawing import draw_maps_of_faces
from services.trainer.recogniser.evaluation import (
    ClipRecognition,
    evaluate_recogniser,
    recognised_class,
    score_clips,
    select_three_classes,
)
from services.trainer.recogniser.labels import FINE_CLASSES
from services.trainer.recogniser.loading import load_recogniser
from services.trainer.sources.sample_rows import SampleRow, read_samples_csv
from shared.errors import BadData

ReadRows = Callable[..., Sequence[SampleRow]]


@pytest.fixture
def read_rows(tmp_path: Path) -> ReadRows:
    def read(*rows: str) -> Sequence[SampleRow]:
        lines = [f"{row},c.npz" for row in rows]
        (tmp_path / "samples.csv").write_text("\n".join(["dataset,subject,clip,label,path", *lines]))
        return read_samples_csv(tmp_path / "samples.csv")

    return read


def test_labels_are_classed_as_megc2019_does(read_rows: ReadRows) -> None:
    rows = read_rows(
        "casme2,sub01,a,happiness",
        "casme2,sub01,b,repression",
        "samm,006,c,Contempt",
        "samm,006,d,surprise",
        "smic,s1,e,positive",
        "own,p1,f,happy",
        "own,p1,g,negative",
    )
    chosen = select_three_classes(rows, "samples.csv")
    assert chosen.rows == tuple(range(7))
    assert chosen.classes == ("positive", "negative", "negative", "surprise", "positive", "positive", "negative")


def test_what_megc2019_leaves_out_is_counted_with_its_reason(read_rows: ReadRows) -> None:
    rows = read_rows(
        "casme2,sub01,a,others",
        "casme2,sub01,b,sadness",  # no class of CASME II's share, but one of SAMM's
        "casme2,05,EP09_05f,repression",
        "casme2,05,EP09_05f2,negative",
        "samm,006,c,sadness",
        "samm,006,d,others",
    )
    chosen = select_three_classes(rows, "samples.csv")
    assert chosen.rows == (3, 4)
    assert dict(chosen.left_out) == {
        "casme2: label others": 1,
        "casme2: label sadness": 1,
        "casme2: 05/EP09_05f: not on the composite's list": 1,
        "samm: label others": 1,
    }


def test_excluded_clips_are_left_out_of_tables_of_classes_too(read_rows: ReadRows) -> None:
    chosen = select_three_classes(read_rows("casme2,05,EP09_05f,negative", "casme2,05,x,negative"), "samples.csv")
    assert chosen.rows == (1,)


def test_labels_of_no_class_are_refused_with_their_rows(read_rows: ReadRows) -> None:
    with pytest.raises(BadData, match=r"samples.csv: expected labels of MEGC2019's classes .* got 'helpless'.*row 3"):
        select_three_classes(read_rows("own,1,a,anger", "own,1,b,helpless"), "samples.csv")
    with pytest.raises(BadData, match="expected clips of MEGC2019's three classes, got none of 1 rows"):
        select_three_classes(read_rows("own,1,a,others"), "samples.csv")


def test_emotions_of_a_model_are_summed_to_classes() -> None:
    emotions = {"disgust": 0.3, "repression": 0.2, "others": 0.1, "happiness": 0.4, "surprise": 0.0}
    assert recognised_class(emotions, "own") == "negative"
    assert recognised_class({"negative": 0.2, "positive": 0.3, "surprise": 0.1, "none": 0.4}, "shipped") == "positive"
    with pytest.raises(BadData, match="got disgust, happiness, without surprise"):
        recognised_class({"disgust": 0.5, "happiness": 0.5}, "own")


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
