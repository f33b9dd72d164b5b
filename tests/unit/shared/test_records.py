import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadData
from shared.records import ActionUnit, Artifact, Pipeline, Record, Sample, artifact_key, manifest_key

TEXT = st.text(min_size=1, max_size=12).filter(lambda text: text.encode(errors="ignore").decode() == text)


def sample(**changes: object) -> Sample:
    return Sample(
        **{"dataset": "casme2", "subject": "01", "clip": "EP02_01f", "onset": 46, "offset": 86, "fps": 200} | changes
    )


def record(**changes: object) -> Record:
    artifact = Artifact(key="k", sha256="0" * 64, size=1)
    return Record(**{"sample": sample(), "stage": "flow", "artifact": artifact, "recipe": "r", "trace": "t"} | changes)


def test_a_record_survives_the_wire() -> None:
    original = record(sample=sample(emotion="happiness", aus=(ActionUnit(number=12, side="left", intensity="B"),)))
    assert Record.decode(original.encode()) == original
    assert json.loads(original.encode())["schema"] == "mer.record/1"


def test_an_unknown_field_or_schema_is_named() -> None:
    with pytest.raises(BadData, match="colour"):
        Record.decode(record().encode()[:-1] + b', "colour": 1}')
    with pytest.raises(BadData, match="schema"):
        Record.decode(record().encode().replace(b"mer.record/1", b"mer.record/9"))


def test_keys_follow_the_design() -> None:
    key = artifact_key("roi-au", sample(), "abc")
    assert key == "roi-au/casme2/01/EP02_01f/abc.npz"
    assert manifest_key(key) == "roi-au/casme2/01/EP02_01f/abc.json"


@given(TEXT, TEXT, TEXT, TEXT)
def test_two_samples_never_share_a_key(a: str, b: str, c: str, d: str) -> None:
    one, other = sample(subject=a, clip=b), sample(subject=c, clip=d)
    assert (one.identity == other.identity) == ((a, b) == (c, d))
    assert all(part not in ("", ".", "..") for part in one.identity.split("/"))


def test_message_key_tells_pipelines_sources_and_labels_apart() -> None:
    source = Artifact(key="source/casme2/01/EP02_01f/abc.npz", sha256="0" * 64, size=1)
    several = [
        record(),
        record(pipeline=Pipeline(profile="paper")),
        record(sample=sample(emotion="disgust")),
        record(sample=sample(aus=(ActionUnit(number=4),))),
        record(inputs={"source": source}),
    ]
    assert len({each.key for each in several}) == len(several)
    assert record(trace="another", recipe="another").key == record().key, "a later stage's record is the same clip's"
    assert record(inputs={"source": source}).source_recipe == "abc"


@pytest.mark.parametrize(
    ("side", "intensity", "text"), [("left", "B", "L12B"), ("right", None, "R12"), (None, None, "12")]
)
def test_an_action_unit_reads_as_it_is_coded(side: str | None, intensity: str | None, text: str) -> None:
    assert str(ActionUnit(number=12, side=side, intensity=intensity)) == text


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (b'"created":"2026-01-01T00:00:00Z"', b'"created":"2026-01-01T00:00:00"', "created"),
        (b'"fps":200.0', b'"fps":Infinity', "sample.fps"),
        (b'"fps":200.0', b'"fps":NaN', "sample.fps"),
    ],
)
def test_what_a_reader_could_not_compare_or_write_again_is_refused(old: bytes, new: bytes, field: str) -> None:
    """A time without a zone cannot be compared with others: it made every answer about datasets an error."""
    data = record(created=datetime(2026, 1, 1, tzinfo=UTC)).encode()
    assert old in data
    with pytest.raises(BadData, match=field):
        Record.decode(data.replace(old, new))
