import pytest

from services.local.options import overrides
from shared.errors import Misconfigured


def test_values_are_json_where_they_are_json() -> None:
    given = ["flow.solver=exact", "magnifier.factors=[1.4, 2.0]", "ingest.height=140"]
    assert overrides("corrected", given) == {
        "flow": {"solver": "exact"},
        "magnifier": {"factors": [1.4, 2.0]},
        "ingest": {"height": 140},
    }


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("solver=exact", "expected STAGE.FIELD=VALUE with a stage of ingest, interpolator"),
        ("floe.solver=exact", "expected STAGE.FIELD=VALUE"),
        ("flow.sovler=exact", "flow has no setting 'sovler'; it has"),
        ("flow.solver=magic", "flow"),
    ],
)
def test_what_no_stage_knows_is_refused_before_any_work(change: str, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        overrides("corrected", [change])


def test_an_unknown_profile_is_refused_before_any_work() -> None:
    with pytest.raises(Misconfigured, match="Unknown profile 'papre': expected one of corrected, paper"):
        overrides("papre", [])
