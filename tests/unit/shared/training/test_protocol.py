"""Folds of every protocol: no tested subject is in the training part."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.errors import BadData, Misconfigured
from shared.protocols.catalogue import PROTOCOL_BY_NAME
from shared.training.protocol import (
    GENERIC_PROTOCOLS,
    MOST_FOLDS,
    ProtocolSettings,
    check_protocol,
    loso_folds,
    protocol_folds,
    stratified_k_folds,
)

DATASETS = ("casme2", "samm", "smic-hs", "mmew", "lab")
people = st.sampled_from([f"{dataset}/s{number}" for dataset in DATASETS for number in range(1, 7)])
clips = st.lists(st.tuples(people, st.integers(0, 4)), min_size=2, max_size=40)


def draw_protocol(data: st.DataObject, name: str, subjects: list[str]) -> ProtocolSettings:
    """The protocol with random settings, valid for these subjects or not."""
    if name == "k-fold":
        return ProtocolSettings(name=name, folds=data.draw(st.integers(2, 6)), fold_seed=data.draw(st.integers(0, 3)))
    if name == "split":
        return ProtocolSettings(
            name=name, test_subjects=tuple(data.draw(st.sets(st.sampled_from(subjects), min_size=1)))
        )
    return ProtocolSettings(name=name)


@pytest.mark.parametrize("name", [*GENERIC_PROTOCOLS, *PROTOCOL_BY_NAME])
@settings(max_examples=60)
@given(data=st.data(), found=clips)
def test_nobody_and_no_group_stands_on_both_sides(name, data, found) -> None:
    subjects = [subject for subject, _ in found]
    protocol = draw_protocol(data, name, subjects)
    try:
        divided = protocol_folds(protocol, subjects, [label for _, label in found])
    except BadData:
        assume(False)
        raise
    for fold in divided:
        trained, tested = {subjects[row] for row in fold.train}, {subjects[row] for row in fold.test}
        assert trained
        assert tested
        assert not trained & tested
        assert not {protocol.group_key(one) for one in trained} & {protocol.group_key(one) for one in tested}
        assert sorted([*fold.train, *fold.test]) == list(range(len(subjects)))
    tests = sorted(np.concatenate([fold.test for fold in divided]).tolist())
    if name == "split":
        assert {subjects[row] for row in tests} == set(protocol.test_subjects)
    else:
        assert tests == list(range(len(subjects))), "every clip is tested exactly once"
    assert len({fold.held_out for fold in divided}) == len(divided)


@given(clips, st.integers(2, 4), st.integers(0, 3))
def test_k_folds_are_as_many_as_asked_for_and_the_same_again(found, count, seed) -> None:
    subjects, labels = np.array([subject for subject, _ in found]), [label for _, label in found]
    assume(len(set(subjects.tolist())) >= count)
    once, again = (stratified_k_folds(subjects, labels, count, seed) for _ in range(2))
    assert [fold.held_out for fold in once] == [f"fold-{number + 1}" for number in range(count)]
    assert all(len(fold.test) for fold in once)
    assert [fold.test.tolist() for fold in once] == [fold.test.tolist() for fold in again]


def test_k_folds_share_a_rare_class_out_and_another_seed_shares_otherwise() -> None:
    subjects = np.repeat([f"lab/s{number:02}" for number in range(12)], 4)
    labels = np.tile([0, 0, 0, 1], 12)
    labels[:16] = [0, 0, 2, 1] * 4  # only the first four show class 2
    divided = stratified_k_folds(subjects, labels, 4, 0)
    assert [np.bincount(labels[fold.test], minlength=3).tolist() for fold in divided] == [[8, 3, 1]] * 4
    assert [fold.test.tolist() for fold in divided] != [
        fold.test.tolist() for fold in stratified_k_folds(subjects, labels, 4, 1)
    ]


def test_fewer_subjects_than_folds_are_refused() -> None:
    with pytest.raises(BadData, match=r"at least 5 subjects for 5 folds, got 2: lab/a, lab/b\. Choose fewer folds"):
        protocol_folds(ProtocolSettings(name="k-fold"), ["lab/a", "lab/b"], [0, 1])


@pytest.mark.parametrize("subjects", [[], ["smic/s1"] * 3])
def test_fewer_than_two_subjects_are_refused(subjects) -> None:
    with pytest.raises(BadData, match="at least 2 subjects"):
        loso_folds(subjects)


def test_a_dataset_alone_has_no_other_to_train_on() -> None:
    with pytest.raises(BadData, match="Leave-one-dataset-out needs at least 2 datasets, got 1: casme2"):
        protocol_folds(ProtocolSettings(name="cd6me"), ["casme2/1", "casme2/2"], [0, 1])


def test_datasets_are_held_out_under_the_catalogues_names() -> None:
    divided = protocol_folds(
        ProtocolSettings(name="cd6me"), ["CASME II/1", "SAMM/7", "casme2_RAW_selected/2"], [0, 0, 1]
    )
    assert [(fold.held_out, fold.test.tolist()) for fold in divided] == [("casme2", [0, 2]), ("samm", [1])]


@pytest.mark.parametrize(
    ("subjects", "sentence"),
    [
        (["lab/1", "lab/01", "lab/2"], "lab/01 and lab/1: one person under two names"),
        (["lab/Ann", "lab/ann", "lab/2"], "lab/Ann and lab/ann: one person under two names"),
        (["CASME II/1", "casme2/1", "casme2/2"], "CASME II/1 and casme2/1: one person"),
        (["smic-hs/s1", "smic-e/s1", "smic-e/s2"], "smic-e/s1 and smic-hs/s1: one person"),
    ],
)
@pytest.mark.parametrize("name", ["loso", "k-fold"])
def test_one_person_under_two_names_is_refused(name, subjects, sentence) -> None:
    protocol = ProtocolSettings(name=name, folds=2) if name == "k-fold" else ProtocolSettings(name=name)
    with pytest.raises(BadData, match=sentence):
        protocol_folds(protocol, subjects, [0] * len(subjects))


def test_distinct_people_are_held_out_one_by_one() -> None:
    subjects = ["lab/1", "lab/01", "lab/sub1"]
    divided = protocol_folds(ProtocolSettings(distinct=True), subjects, [0, 0, 0])
    assert [(fold.held_out, fold.test.tolist()) for fold in divided] == [
        ("lab/01", [1]),
        ("lab/1", [0]),
        ("lab/sub1", [2]),
    ]


def test_only_a_run_with_distinct_people_says_so() -> None:
    assert "distinct" not in ProtocolSettings().model_dump(mode="json")
    assert ProtocolSettings(distinct=True).model_dump()["distinct"] is True
    assert ProtocolSettings.model_validate(ProtocolSettings().model_dump()) == ProtocolSettings()


def test_leaving_datasets_out_two_recordings_of_the_same_people_are_refused() -> None:
    with pytest.raises(BadData, match="one person under two names"):
        protocol_folds(ProtocolSettings(name="cd6me"), ["smic-hs/s1", "smic-e/s1"], [0, 0])


@pytest.mark.parametrize(
    ("tested", "sentence"),
    [
        (["9"], "Expected test subjects among casme2/1, casme2/2, samm/1, got '9'"),
        (["1"], "Test subject '1' may be casme2/1 or samm/1. Write dataset/subject"),
        (["casme2/1", "casme2/2", "samm/1"], "a split that tests all 3. Name fewer"),
    ],
)
def test_a_split_names_people_who_are_there(tested, sentence) -> None:
    with pytest.raises(BadData, match=sentence):
        protocol_folds(
            ProtocolSettings(name="split", test_subjects=tested), ["casme2/1", "casme2/2", "samm/1"], [0, 0, 0]
        )


def test_a_split_finds_people_in_either_spelling() -> None:
    (fold,) = protocol_folds(
        ProtocolSettings(name="split", test_subjects=["02", "samm/1"]), ["casme2/1", "casme2/2", "samm/01"], [0] * 3
    )
    assert (fold.held_out, fold.train.tolist(), fold.test.tolist()) == ("test", [0], [1, 2])
    (fold,) = protocol_folds(
        ProtocolSettings(name="split", test_subjects=["sub02", "samm/s-1"]),
        ["casme2/1", "casme2/2", "samm/01"],
        [0] * 3,
    )
    assert (fold.train.tolist(), fold.test.tolist()) == ([0], [1, 2])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"name": "lono"}, "No protocol 'lono'; there are casme2-5, .* Any data: loso, k-fold, split"),
        ({"folds": 3}, "folds belongs to protocol k-fold, got protocol loso"),
        ({"name": "k-fold", "test_subjects": ["a"]}, "test_subjects belongs to protocol split"),
        ({"name": "split"}, "Protocol split needs test_subjects"),
    ],
)
def test_what_a_protocol_does_not_read_is_refused(asked, sentence) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        check_protocol(ProtocolSettings(**asked))


def test_all_folds_share_one_array_of_the_clips():
    """A run may have thousands of folds and hundred thousands of clips."""
    subjects = [f"lab/s{number}" for number in range(4)] * 3
    for protocol in (ProtocolSettings(), ProtocolSettings(name="k-fold", folds=3)):
        divided = protocol_folds(protocol, subjects, [0] * len(subjects))
        assert len({id(fold.groups) for fold in divided}) == 1


def test_a_run_of_very_many_folds_is_refused():
    subjects = [f"lab/{number}" for number in range(MOST_FOLDS + 1)]
    assert len(protocol_folds(ProtocolSettings(), subjects[1:], [0] * MOST_FOLDS)) == MOST_FOLDS
    with pytest.raises(BadData, match=r"at most 10,000 folds .* got 10,001 of protocol loso for each of 1"):
        protocol_folds(ProtocolSettings(), subjects, [0] * len(subjects))
    many = ProtocolSettings(name="k-fold", folds=1000)
    assert len(protocol_folds(many, subjects[:1000], [0] * 1000, seeds=10)) == 1000
    with pytest.raises(BadData, match="got 1,000 of protocol k-fold for each of 11"):
        protocol_folds(many, subjects[:1000], [0] * 1000, seeds=11)
