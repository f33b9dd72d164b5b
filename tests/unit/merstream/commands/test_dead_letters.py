"""`mer dead-letters` as typed, on the folder of an embedded run."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from merstream.app import app
from merstream.commands.dead_letters import format_age
from merstream.embedded.run_folder import Workspace
from shared.bus import Message
from shared.bus.dead_letters import bury_message
from shared.dataset_notices import announce_dataset
from shared.errors import BadData, Misconfigured
from shared.letter_selection import gather_letters, letter_id
from shared.packed_clips import PackedClip, store_packed_clip
from shared.records import Dataset, Pipeline, Sample, clip_version
from shared.video_records import Video

RECORD = json.dumps({"sample": {"clip": "EP01", "emotion": "größer"}}).encode()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    place = Workspace(tmp_path / "out")
    bus, store = place.open_bus(), place.open_store()
    letters = {
        "flow": Message("mer.magnified", 3, 7, "d/s/EP01@p", RECORD, {"from": "abroad"}),
        "ingest": Message("mer.sources", 0, 1, "d/s/EP02@p", bytes(range(200)) * 2),
    }
    for group, message in letters.items():
        bury_message(bus, store, group, message, f"no [face] for {group}", {"attempts": "1"})
    bus.close()
    return tmp_path / "out"


def sample(clip: str) -> Sample:
    return Sample(dataset="d", subject="s", clip=clip, emotion="others", onset=0, offset=1, fps=200)


def mer(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "160"})


def letters_of(out: Path, group: str | None = None) -> dict[str, str]:
    """Group by ID, as the bus has it."""
    bus = Workspace(out).open_bus()
    found = {letter_id(letter): letter.group for letter in gather_letters(bus, Workspace(out).open_store(), group)}
    bus.close()
    return found


def test_list_has_a_line_per_letter_in_the_pipelines_order(out: Path) -> None:
    said = mer("dead-letters", "list", "--out", out).stdout
    assert said.index("no [face] for ingest") < said.index("no [face] for flow")
    assert all(each in said for each in [*letters_of(out), "d/s/EP01@p", "d/s/EP02@p"])
    assert "EP02" not in mer("dead-letters", "list", "flow", "--out", out).stdout


def test_show_prints_json_indented_and_anything_else_as_hex(out: Path) -> None:
    by_group = {group: id for id, group in letters_of(out).items()}
    flow = mer("dead-letters", "show", by_group["flow"][:6], "--out", out).stdout
    assert "reason: no [face] for flow" in flow
    assert "origin: mer.magnified/3@7" in flow
    assert "from: abroad" in flow
    assert json.loads(flow[flow.index("{") :]) == json.loads(RECORD)
    hexed = mer("dead-letters", "show", by_group["ingest"], "--out", out).stdout
    assert "400 bytes, no JSON, the first 256:" in hexed
    assert bytes(range(16)).hex(" ") in hexed


def test_replayed_by_id_it_is_back_and_the_other_letter_stays(out: Path) -> None:
    (flow,) = letters_of(out, "flow")
    done = mer("dead-letters", "replay", flow, flow, "--out", out)
    assert done.stdout.count("d/s/EP01@p is back on mer.magnified") == 1
    bus = Workspace(out).open_bus()
    (back,) = bus.read_newest("mer.magnified").values()
    assert bus.group_progress("mer.magnified", "flow").published == 1
    bus.close()
    assert (back.key, back.value, back.headers) == ("d/s/EP01@p", RECORD, {"from": "abroad"})
    assert set(letters_of(out).values()) == {"ingest"}


@pytest.mark.parametrize(("group", "left"), [(["flow"], {"ingest"}), ([], set())])
def test_all_means_a_group_or_every_group(out: Path, group: list[str], left: set[str]) -> None:
    assert mer("dead-letters", "replay", "--all", *group, "--out", out).exit_code == 0
    assert set(letters_of(out).values()) == left


def test_letters_of_what_was_replaced_are_refused_and_can_be_discarded(tmp_path: Path) -> None:
    """A clip with another source, one with other labels, a video with other bytes, and one that is as it was."""
    place = Workspace(tmp_path / "out")
    bus, store = place.open_bus(), place.open_store()
    packed = {name: PackedClip(sample(name), {"data": np.array(number)}) for number, name in enumerate("abc")}
    records = {name: store_packed_clip(clip, Pipeline(), "t", store) for name, clip in packed.items()}
    relabelled = sample("b").model_copy(update={"emotion": "disgust"}).label_digest
    versions = {
        sample("a").identity: clip_version("f" * 32, sample("a").label_digest),
        sample("b").identity: clip_version(records["b"].source_recipe, relabelled),
        sample("c").identity: records["c"].version,
    }
    announce_dataset(bus, store, Dataset(name="d", clips=versions, complete=True))
    video = Video(name="own.mp4", mark="first", size=1, trace="t")
    now = video.model_copy(update={"mark": "second"})
    bus.publish("mer.videos", now.key, now.encode())
    for offset, record in enumerate(records.values()):
        message = Message("mer.sources", 0, offset, record.key, record.encode())
        bury_message(bus, store, "ingest", message, "no face", {})
    bury_message(bus, store, "spotter", Message("mer.videos", 0, 9, video.key, video.encode()), "no video", {})
    bus.close()
    done = mer("dead-letters", "replay", "--all", "--out", place.folder)
    assert isinstance(done.exception, BadData)
    said = str(done.exception)
    for name in ("d/s/a: another source or other labels", "d/s/b: another source", "own.mp4: the video was replaced"):
        assert name in said
    assert "d/s/c" not in said
    assert done.stdout.count("is back on") == 1
    command = said[said.index("`mer ") + 5 : said.rindex("`")].split()
    assert mer(*command, "--out", place.folder).exit_code == 0
    assert letters_of(place.folder) == {}
    bus = Workspace(place.folder).open_bus()
    assert set(bus.read_newest("mer.sources")) == {records["c"].key}
    bus.close()


def test_thrown_away_it_is_neither_a_letter_nor_back(out: Path) -> None:
    (flow,) = letters_of(out, "flow")
    assert "d/s/EP01@p is deleted" in mer("dead-letters", "discard", flow, "--out", out).stdout
    assert set(letters_of(out).values()) == {"ingest"}
    bus = Workspace(out).open_bus()
    assert bus.read_newest("mer.magnified") == {}
    bus.close()


def test_nothing_there_is_said(out: Path) -> None:
    mer("dead-letters", "replay", "--all", "--out", out)
    assert "No dead letters." in mer("dead-letters", "list", "--out", out).stdout
    assert "No dead letters." in mer("dead-letters", "replay", "--all", "--out", out).stdout


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        (["show", "zzz"], BadData, "got 'zzz'. Known IDs: [0-9a-f]{8}, "),
        (["replay", ""], BadData, "Expected the ID of one dead letter"),
        (["replay"], Misconfigured, "needs IDs, or --all"),
        (["replay", "--all", "flow", "ingest"], Misconfigured, "at most one group"),
        (["list", "flwo"], Misconfigured, "No group 'flwo'. Expected one of ingest, "),
    ],
)
def test_what_is_typed_wrong_changes_nothing_and_is_named(out: Path, arguments, error, sentence) -> None:
    done = mer("dead-letters", *arguments, "--out", out)
    assert isinstance(done.exception, error)
    with pytest.raises(error, match=sentence):
        raise done.exception
    assert len(letters_of(out)) == 2


def test_age_in_the_largest_unit() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert [format_age((now - timedelta(seconds=n)).isoformat(), now) for n in (0, 59, 61, 7300, 200_000)] == [
        *("0 s", "59 s", "1 min", "2 h", "2 d"),
    ]
    assert format_age(None, now) == "?"
