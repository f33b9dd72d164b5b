import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.tables.labels import KNOWN_LABELS, find_shifted_labels, note_doubtful_labels


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        *(("happy", "happiness"), ("happines", "happiness"), ("sad", "sadness"), ("angry", "anger")),
        *(("surprised", "surprise"), ("other", "others"), ("disgusted", "disgust"), ("fearful", "fear")),
        *(("hapiness", "happiness"), ("supprise", "surprise")),
    ],
)
def test_a_label_beside_the_one_that_is_probably_meant(label: str, meant: str) -> None:
    assert note_doubtful_labels([label, meant, meant]) == {
        label: f"the label {label!r} (1x) is a class of its own beside {meant!r} (2x); correct it if they are the same"
    }
    assert note_doubtful_labels([label]) == {}


@given(st.lists(st.sampled_from(sorted(KNOWN_LABELS)), min_size=1))
def test_the_labels_of_the_field_are_no_doubts(labels: list[str]) -> None:
    assert note_doubtful_labels(labels) == {}


def test_classes_and_compounds_are_no_doubts() -> None:
    labels = ["i", *["ii"] * 9, *["vii"] * 9, "viii", "negative", "negative & repression", "disgust", "disappointment"]
    assert note_doubtful_labels(labels) == {}


def test_a_rare_spelling_of_a_frequent_label() -> None:
    assert list(note_doubtful_labels(["überraschung"] * 5 + ["überaschung"])) == ["überaschung"]
    assert note_doubtful_labels(["überraschung", "überaschung"]) == {}


def test_a_number_among_words() -> None:
    assert find_shifted_labels(["happiness", "12", "surprise"]) == {"12"}
    assert find_shifted_labels(["1", "2", "others"]) == set()
    assert find_shifted_labels(["高兴", "厌恶"]) == set()


@pytest.mark.parametrize(
    ("label", "meant"),
    [
        *(("happiness.", "happiness"), ("sur prise", "surprise"), ("happi\nness", "happiness"), ("1.0", "1")),
        *(("anger  disgust", "anger disgust"), ("anger-disgust", "anger disgust"), ("happi\u0307ness", "happiness")),
    ],
)
def test_labels_that_differ_in_blanks_and_signs_alone(label: str, meant: str) -> None:
    assert list(note_doubtful_labels([label, meant, meant])) == [label]
    assert len(note_doubtful_labels([label, meant])) == 1


@pytest.mark.parametrize("labels", [["-1", "0", "1"], ["1.5", "15"], ["happy+", "happy-"], ["i", "ii"]])
def test_labels_whose_signs_count(labels: list[str]) -> None:
    assert note_doubtful_labels(labels) == {}


def test_a_word_that_may_mean_no_label() -> None:
    assert list(note_doubtful_labels(["unknown", "surprise"])) == ["unknown"]
