"""The three classes of MEGC2019: what counts, what is left out, and what is refused."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from services.trainer.recogniser.class_selection import recognised_class, select_three_classes
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
