"""A run.json: one feature record a line, which are read one at a time."""

import io
import json
import weakref

import pytest
from fastapi import HTTPException

from services.console.api.run_request import require_folds
from shared.errors import BadData
from shared.feature_index import PackedRecords, index_features
from shared.records import Record
from shared.run_contents import RunContents, read_contents
from shared.store import LocalStore
from shared.training import definition
from shared.training.options import resolve_options
from tests.unit.shared.drawn_features import draw_features

OPTIONS = resolve_options("corrected", {"model": "majority"}, "cpu")


def draw_labelled(number: int) -> Record:
    """Of one of two people, with one of two emotions."""
    record = draw_features(f"c{number}")
    labels = {"subject": f"s{number % 2}", "emotion": ("a", "b")[number // 2 % 2]}
    return record.model_copy(update={"sample": record.sample.model_copy(update=labels)})


RECORDS = tuple(draw_labelled(number) for number in range(6))


def state_run(**changes) -> RunContents:
    stated = {
        "dataset": "d",
        "pipeline": "p",
        "settings": OPTIONS.settings.model_dump(mode="json"),
        "protocol": OPTIONS.protocol.model_dump(mode="json"),
        "features": RECORDS,
        "faults": ('d/s/c: its name has "features":[] in it.',),
    }
    return RunContents(**{**stated, **changes})


@pytest.mark.parametrize("count", [0, 1, 6])
def test_the_lines_are_one_json_object_and_are_read_one_at_a_time(count):
    contents = state_run(features=RECORDS[:count])
    data = contents.encode()
    assert RunContents.decode(data) == contents
    assert json.loads(data)["faults"] == list(contents.faults)
    head, features = read_contents(io.BytesIO(data))
    assert (head.settings, head.protocol, head.features) == (contents.settings, contents.protocol, ())
    assert tuple(features) == RECORDS[:count]


def test_a_run_of_an_earlier_version_is_in_one_line_and_one_of_mer_train_is_indented():
    contents = state_run()
    for indent in (None, 2):
        data = contents.model_dump_json(by_alias=True, indent=indent).encode()
        assert tuple(read_contents(io.BytesIO(data))[1]) == RECORDS


def test_packed_records_stay_packed_and_give_the_same_bytes():
    packed = index_features(RECORDS)
    features = next(iter(packed.groups.values())).values()
    contents = state_run(features=PackedRecords(list(features), packed.packer))
    assert isinstance(contents.features, PackedRecords)
    assert contents.encode() == state_run().encode()


@pytest.mark.parametrize("features", ['"abc"', "{}", "[1]", '[{"sample": 1}]', "null"])
def test_other_features_are_refused(features):
    data = state_run(features=()).model_dump_json(by_alias=True).replace('"features":[]', f'"features":{features}')
    with pytest.raises(BadData, match="Publish the record again"):
        RunContents.decode(data.encode())


def test_the_folds_of_a_stored_run_are_those_of_its_records_and_no_record_is_kept(tmp_path, monkeypatch):
    store, contents = LocalStore(tmp_path), state_run()
    run = definition.Run(id="0" * 32, dataset="d", pipeline="p", model="majority")
    store.put(run.contents_key, contents.encode())
    decoded, most = [], []
    decode = Record.decode.__func__

    def decode_and_count(kind, data):
        record = decode(kind, data)
        if kind is Record:
            decoded.append(weakref.ref(record))
            most.append(sum(each() is not None for each in decoded))
        return record

    monkeypatch.setattr(Record, "decode", classmethod(decode_and_count))
    listed = definition.list_stored_folds(store, run)
    assert listed == definition.list_folds(RECORDS, OPTIONS)
    assert len(most) == len(RECORDS)
    assert max(most) <= 2


def test_a_broken_record_of_a_stored_run_is_named(tmp_path):
    store, run = LocalStore(tmp_path), definition.Run(id="0" * 32, dataset="d", pipeline="p", model="majority")
    store.put(run.contents_key, state_run().encode().replace(b'"sample"', b'"simple"', 1))
    with pytest.raises(BadData, match=r"mer\.record/1: sample"):
        definition.list_stored_folds(store, run)


def test_console_and_planner_refuse_a_run_of_very_many_folds(tmp_path, monkeypatch):
    monkeypatch.setattr("shared.training.protocol.MOST_FOLDS", 3)
    run = definition.Run(id="0" * 32, dataset="d", pipeline="p", model="majority")
    store = LocalStore(tmp_path)
    store.put(run.contents_key, state_run(seeds=2).encode())
    for list_folds in (
        lambda: definition.list_stored_folds(store, run),
        lambda: require_folds(run, state_run(seeds=2)),
    ):
        with pytest.raises((BadData, HTTPException)) as refused:
            list_folds()
        assert "at most 3 folds for all seeds of a run, got 2 of protocol loso for each of 2." in str(refused.value)
