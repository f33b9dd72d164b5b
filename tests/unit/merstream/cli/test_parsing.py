from pathlib import Path

import pytest

from merstream.cli.parsing import collect_training_options, parse_pipeline, parse_training_settings
from shared.errors import Misconfigured


def test_values_are_json_where_they_are_json() -> None:
    given = ["flow.solver=exact", "magnifier.factors=[1.4, 2.0]", "ingest.height=140"]
    assert parse_pipeline("corrected", given).overrides == {
        "flow": {"solver": "exact"},
        "magnifier": {"factors": [1.4, 2.0]},
        "ingest": {"height": 140},
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("solver=exact", "expected STAGE.FIELD=VALUE"),
        ("floe.solver=exact", "No stage 'floe': expected one of ingest, interpolator"),
        ("flow.sovler=exact", "flow has no setting 'sovler': expected one of"),
        ("flow.solver=magic", "flow"),
    ],
)
def test_what_no_stage_knows_is_refused_before_any_work(change: str, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        parse_pipeline("corrected", [change])


def test_an_unknown_profile_is_refused_before_any_work() -> None:
    with pytest.raises(Misconfigured, match="Unknown profile 'papre': expected one of corrected, paper"):
        parse_pipeline("papre", [])


def test_what_was_not_given_is_not_asked_for() -> None:
    assert collect_training_options({"out": Path("x"), "jobs": 2, "model": None, "known_as": []}) == {}
    given = {"protocol": "k-fold", "seeds": 3, "folds": 4, "seed": 0, "epochs": None}
    assert collect_training_options(given) == {"protocol": "k-fold", "seeds": 3, "folds": 4, "seed": 0}
    assert collect_training_options({"batch_size": 2, "classes": "a,b"}) == {"batch": 2, "classes": ["a", "b"]}
    assert collect_training_options({"known_as": ["lab=copy=casme2"], "allow_other_counts": True}) == {
        "datasets": {"lab=copy": "casme2"},
        "allow_other_counts": True,
    }


def test_test_subjects_come_as_a_list_or_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("s1\n\n d/s2 \n")
    assert collect_training_options({"test_subjects": str(file)}) == collect_training_options(
        {"test_subjects": "s1, d/s2"}
    )
    assert collect_training_options({"test_subjects": str(file)}) == {"test_subjects": ["s1", "d/s2"]}
    with pytest.raises(Misconfigured, match="expected names of subjects, got none"):
        collect_training_options({"test_subjects": " ,"})
    for encoding in ("utf-8-sig", "utf-16"):
        file.write_bytes("s1\r\nd/s2\r\n".encode(encoding))
        assert collect_training_options({"test_subjects": str(file)}) == {"test_subjects": ["s1", "d/s2"]}
    file.write_bytes(b"s1\xff")
    with pytest.raises(Misconfigured, match="expected a text file"):
        collect_training_options({"test_subjects": str(file)})


@pytest.mark.parametrize("said", ["casme2", "lab=casme9", "lab="])
def test_what_a_dataset_is_known_as_is_a_known_name(said: str) -> None:
    with pytest.raises(Misconfigured, match=f"--known-as {said}: expected NAME=KEY with a key of casme2, samm"):
        collect_training_options({"known_as": [said]})


def test_any_training_setting_can_be_set() -> None:
    assert parse_training_settings(["keep=best-inner", "inner=3", "oracle=false"]) == {
        "keep": "best-inner",
        "inner": 3,
        "oracle": False,
    }
    with pytest.raises(Misconfigured, match="--set keep: expected FIELD=VALUE"):
        parse_training_settings(["keep"])
