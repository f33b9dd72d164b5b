import pytest
from pydantic import ValidationError

from shared.errors import first_problem
from shared.records import Sample
from shared.settings import Settings

GOOD = {"dataset": "d", "subject": "s", "clip": "c", "onset": 0, "offset": 1, "fps": 200}


@pytest.mark.parametrize(
    ("changes", "field", "value", "message"),
    [
        ({"fps": -1}, "fps", -1, "greater than 0"),
        ({"aus": [{"number": 4}, {"number": -1}]}, "aus.1.number", -1, "greater than or equal to 0"),
        ({"emotoin": "happy"}, "emotoin", "happy", "not permitted"),
    ],
)
def test_the_first_problem_of_a_record(changes: dict[str, object], field: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        Sample.model_validate({**GOOD, **changes})
    found = first_problem(raised.value)
    assert found[:2] == (field, value)
    assert message in found[2]


def test_a_rule_over_several_fields_has_no_field() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(s3_endpoint="localhost:9000")
    field, _, message = first_problem(raised.value)
    assert field == ""
    assert message.startswith("MER_S3_ENDPOINT needs"), "without pydantic's prefix"
