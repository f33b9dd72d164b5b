"""One person under two names among the clips of a run: found within a dataset, and between its spellings."""

import pytest

from shared.errors import BadData
from shared.protocols import find_same_people, refuse_same_people
from tests.dataset_layouts import FORMS, full_size_clips


def test_names_are_compared_within_a_dataset_only() -> None:
    assert find_same_people([("casme2", "sub01"), ("smic-hs", "s01"), ("samm", "1"), ("lab", "01")]) == []
    assert find_same_people([("lab", "sub01"), ("other", "1"), ("lab", "1")]) == [("lab/1", "lab/sub01")]


@pytest.mark.parametrize(
    ("one", "other"),
    [("Lab 1", "lab1"), ("lab-01", "LAB 1"), ("CASME II", "casme2"), ("smic-hs", "SMIC-E-HS"), ("实验室", "实验 室")],
)
def test_a_dataset_in_two_spellings_has_the_same_people(one: str, other: str) -> None:
    assert find_same_people([(one, "3"), (other, "sub03")]) == [tuple(sorted((f"{one}/3", f"{other}/sub03")))]
    assert find_same_people([(one, "3"), (other, "4")]) == []


def test_datasets_of_other_numbers_or_letters_have_other_people() -> None:
    assert find_same_people([("Lab 1", "3"), ("Lab 2", "3"), ("实验A", "3"), ("样本A", "3")]) == []


def test_a_dataset_is_what_somebody_says_it_is() -> None:
    people = [("mine", "1"), ("CASME II", "sub01")]
    assert find_same_people(people) == []
    assert find_same_people(people, {"mine": "casme2"}) == [("CASME II/sub01", "mine/1")]


def test_names_that_are_tested_together_do_no_harm() -> None:
    assert find_same_people([("CASME II", "1"), ("casme2", "1")], group_key=lambda name: "one") == []


@pytest.mark.parametrize("key", FORMS)
def test_nobody_of_a_published_dataset_has_two_names(key: str) -> None:
    subjects = {clip.subject for clip in full_size_clips(key)}
    for style in ("{}", "{:02}", "{:03}", "sub{:02}", "s{}", "S{:02}", "spNO.{}", "sub{:04}"):
        assert find_same_people((key, style.format(subject)) for subject in subjects) == []


def test_the_message_names_ten_counts_the_others_and_says_both_ways_out() -> None:
    found = find_same_people(("lab", style.format(number)) for number in range(1, 13) for style in ("{}", "s{:02}"))
    assert len(found) == 12
    with pytest.raises(BadData) as refused:
        refuse_same_people(found)
    said = str(refused.value)
    assert said.startswith("lab/1 and lab/s01; lab/10 and lab/s10; ")
    assert said.count(" and lab/") == 10
    assert "; and 2 more: one person under two names would be trained on and tested. Write the name in one way." in said
    assert "say so with --distinct" in said
    assert "mer forget" not in said
    with pytest.raises(
        BadData, match=r"a dataset that has two names: delete its rows, or `mer forget NAME --out FOLDER`"
    ):
        refuse_same_people([("Lab 1/1", "lab1/1")])
    refuse_same_people([])
