"""What becomes of a dropped dataset: each clip once, only what changed again, and what it consists of announced."""

import json
from pathlib import Path

import pytest

from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.inbox import ledger
from services.ingest.source_records import emit_record
from shared.errors import Unavailable
from shared.records import Pipeline
from shared.store import LocalStore
from tests.unit.ingest.inbox.lab import HEADER, Lab, dataset, frames, sheet
from tests.unit.shared.video import coded


def test_every_clip_becomes_the_record_that_a_run_on_the_folder_makes(lab: Lab, tmp_path: Path) -> None:
    lab.drop("my lab's Übung 1", dataset("smile", "frown é"))
    lab.scan()
    other = LocalStore(tmp_path / "other")
    found = [clip for clip in discover_clips(lab.inbox.folder / "my lab's Übung 1") if isinstance(clip, FoundClip)]
    expected = [emit_record(clip, Pipeline(), "t", other, lab.bus) for clip in found]
    made = lab.sources()[: len(expected)]
    assert [(r.sample, r.artifact, r.recipe) for r in made] == [(r.sample, r.artifact, r.recipe) for r in expected]
    assert all(lab.store.get(r.artifact.key) == other.get(r.artifact.key) for r in made)
    announced = lab.only()
    assert announced.clips == {record.sample.identity: record.version for record in expected}
    assert (announced.name, announced.complete, announced.faults) == ("my lab's Übung 1", True, ())


def test_a_video_of_several_clips_is_fetched_once(lab: Lab, tmp_path: Path) -> None:
    video = coded.write(tmp_path / "long.mp4", range(60)).read_bytes()
    rows = [f"lab,s,c{number},long.mp4,{number},,{number + 9},30,others,4" for number in (0, 20, 40)]
    lab.drop("lab", {"long.mp4": video, "other.mp4": video, "clips.csv": "\n".join([HEADER, *rows]).encode()})
    lab.scan()
    counted = ["lab/long.mp4"]  # once for its length, which tells from where its sheet counts
    assert (len(lab.only().clips), lab.only().faults, lab.fetched()) == (3, (), [*counted, "lab/long.mp4"])
    more = "lab,t,c0,other.mp4,0,,9,30,others,4"
    lab.drop("lab", {"long.mp4": video + b"x", "clips.csv": "\n".join([HEADER, rows[0], more, *rows[1:]]).encode()})
    lab.scan()
    counted = ["lab/long.mp4", "lab/other.mp4"]
    assert (len(lab.only().clips), lab.fetched()) == (4, [*counted, "lab/long.mp4", "lab/other.mp4", "lab/long.mp4"])
    assert not list(lab.process.scratch.work.iterdir())
    lab.scan()
    assert lab.fetched() == []


def test_videos_of_a_sheet_that_counts_from_1_become_what_a_run_makes_of_them(lab: Lab, tmp_path: Path) -> None:
    rows = []
    for person in range(2):
        lab.drop("lab", {f"{person}.mp4": coded.write(tmp_path / f"{person}.mp4", range(30 + person)).read_bytes()})
        rows += [
            f"lab,{person},a,{person}.mp4,1,5,12,30,others,4",
            f"lab,{person},b,{person}.mp4,15,,{30 + person},30,,",
        ]
    lab.drop("lab", {"clips.csv": "\n".join([HEADER, *rows]).encode()})
    lab.scan()
    assert len(lab.only().faults) == 4, "until uploads stop, the last frames may be missing"
    lab.passed = 1000
    lab.scan()
    other = LocalStore(tmp_path / "other")
    found = [clip for clip in discover_clips(lab.inbox.folder / "lab") if isinstance(clip, FoundClip)]
    assert [(clip.onset, clip.offset) for clip in found] == [(0, 11), (14, 29), (0, 11), (14, 30)]
    made = [emit_record(clip, Pipeline(), "t", other, lab.bus) for clip in found]
    assert (lab.only().clips, lab.only().faults) == ({each.sample.identity: each.version for each in made}, ())


def test_casme2_as_distributed_is_found_on_names_alone(lab: Lab, casme2: Path) -> None:
    for file in casme2.rglob("*.*"):
        lab.inbox.put(f"casme/{file.relative_to(casme2)}", file.read_bytes())
    lab.scan()
    found = [clip for clip in discover_clips(casme2) if isinstance(clip, FoundClip)]
    assert [record.sample for record in lab.sources()] == [clip.sample for clip in found]
    assert len(found) == 2


def test_unchanged_means_nothing_is_done(lab: Lab) -> None:
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    before = lab.sources(), lab.announcements()
    assert len(lab.fetched()) == 6
    lab.scan()
    lab.restart()
    lab.scan()
    assert (lab.sources(), lab.announcements()) == before
    assert not [key for key, _ in lab.calls.of("put") if not key.startswith("attempts/")], "but for a mark meanwhile"
    assert not [key for (key,) in lab.calls.of("get") if key.startswith("source/")]
    assert lab.fetched() == []


def test_a_changed_label_is_said_again_and_nothing_is_fetched(lab: Lab) -> None:
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    lab.fetched()
    lab.drop("d", {"clips.csv": sheet({"a": "others", "b": "disgust"})})
    lab.scan()
    before, after = lab.sources()[1:]
    assert (before.sample.emotion, after.sample.emotion) == ("others", "disgust")
    assert (after.recipe, after.artifact) == (before.recipe, before.artifact)
    assert lab.fetched() == []
    assert len(lab.announcements()) == 2, "the dataset says which labels it waits for"
    assert lab.only().clips == {each.sample.identity: each.version for each in (lab.sources()[0], after)}


def test_a_relabelled_clip_whose_artifact_was_deleted_is_packed_again(lab: Lab) -> None:
    lab.drop("d", dataset("a"))
    lab.scan()
    for key in list(lab.store.list_keys("source/")):
        lab.store.delete(key)
    lab.drop("d", {"clips.csv": sheet({"a": "disgust"})})
    lab.scan()
    assert lab.packed(lab.sources()[-1]) == b"a 1a 2a 3"


def test_a_dropped_again_clip_is_the_only_one_that_is_done_again(lab: Lab) -> None:
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    lab.fetched()
    lab.drop("d", {"frames/b/img2.jpg": b"better"})
    lab.scan()
    assert lab.fetched() == [f"d/frames/b/img{n}.jpg" for n in (1, 2, 3)]
    (again,) = lab.sources()[2:]
    assert lab.packed(again) == b"b 1betterb 3"
    assert lab.only().clips[again.sample.identity] == again.version


def test_equal_bytes_dropped_again_make_no_new_record(lab: Lab) -> None:
    lab.drop("d", dataset("a"))
    lab.scan()
    lab.drop("d", frames("a"))
    lab.scan()
    assert len(lab.sources()) == 1


def test_a_lost_ledger_costs_the_same_records_again(lab: Lab) -> None:
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    ledger.delete_ledger(lab.store, "d")
    lab.restart()
    lab.scan()
    recipes = [record.recipe for record in lab.sources()]
    assert recipes[:2] == recipes[2:]
    assert len(lab.announcements()) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b'{"schema": "mer.ledger/9"}', b"\xff"])
def test_a_ledger_that_cannot_be_read_counts_as_lost(lab: Lab, content: bytes) -> None:
    lab.drop("d", dataset("a"))
    lab.store.put("inbox/d.json", content)
    lab.scan()
    assert len(lab.sources()) == 1


def test_a_bus_that_was_lost_is_told_everything_again(lab: Lab) -> None:
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    with lab.bus.exclusive_transaction() as database:
        database.execute("DELETE FROM messages")
    lab.fetched()
    lab.scan()
    assert len(lab.sources()) == 2
    assert lab.only().complete


def test_the_plan_beside_a_dataset_is_its_pipeline(lab: Lab) -> None:
    plan = {"profile": "paper", "overrides": {"flow": {"solver": "exact"}}, "train": {"seed": 3}, "prefer": "raw"}
    lab.drop("d", {"merstream.json": json.dumps(plan).encode(), **dataset("a")})
    lab.scan()
    (record,) = lab.sources()
    assert record.pipeline == Pipeline(profile="paper", overrides={"flow": {"solver": "exact"}})
    assert (lab.only().pipeline, lab.only().train) == (record.pipeline, {"seed": 3})


def test_another_plan_says_all_again_under_it_and_fetches_nothing(lab: Lab) -> None:
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    lab.fetched()
    lab.drop("d", {"merstream.json": b'{"profile": "paper"}'})
    lab.scan()
    assert [record.pipeline.profile for record in lab.sources()] == ["corrected"] * 2 + ["paper"] * 2
    assert lab.fetched() == []
    assert lab.only().pipeline.profile == "paper", "under the pipeline before it nobody waits for it"
    lab.inbox.delete("d/merstream.json")
    lab.scan()
    assert lab.only().pipeline == Pipeline()


def test_prefer_chooses_the_frames(lab: Lab, casme2: Path) -> None:
    for file in casme2.rglob("*.*"):
        lab.inbox.put(f"c/{file.relative_to(casme2)}", file.read_bytes())
        raw = str(file.relative_to(casme2)).replace("Cropped", "CASME2_RAW_selected").replace("reg_", "")
        lab.inbox.put(f"c/{raw}", file.read_bytes())
    lab.drop("c", {"merstream.json": b'{"prefer": "raw"}'})
    lab.scan()
    keys = [key for key in lab.fetched() if key.endswith(".jpg")]
    assert len(keys) == 9
    assert all("RAW" in key for key in keys)


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (b"{", "merstream.json: the file: Invalid JSON"),
        (b'{"profil": "paper"}', "merstream.json: profil: Extra inputs"),
        (b'{"profile": "fast"}', "merstream.json: profile: Input should be 'corrected' or 'paper'"),
        (b'{"overrides": {"flw": {}}}', "there is no stage 'flw'"),
        (b'{"overrides": {"ingest": {"hight": 3}}}', "merstream.json: Pipeline settings do not fit stage 'ingest'"),
        (b'{"train": {"model": "fmer", "epochs": 0}}', "merstream.json: train: epochs 0: "),
    ],
)
def test_a_plan_that_cannot_be_read_is_one_fault(lab: Lab, plan: bytes, said: str) -> None:
    lab.drop("d", {"merstream.json": plan, **dataset("a")})
    lab.scan()
    (fault,) = lab.only().faults
    assert said in fault
    assert (lab.only().clips, lab.only().complete, lab.sources()) == ({}, False, [])


def test_a_plan_that_breaks_leaves_the_dataset_under_its_pipeline(lab: Lab) -> None:
    lab.drop("d", {"merstream.json": b'{"profile": "paper"}', **dataset("a")})
    lab.scan()
    lab.drop("d", {"merstream.json": b"{"})
    lab.scan()
    assert lab.only().pipeline.profile == "paper"
    assert not lab.only().complete


def test_one_datasets_fault_stops_no_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.drop("a", {"clips.csv": b"\xff\xff"})
    lab.drop("b", {"x.xlsx": b"no workbook", **frames("b")})
    lab.drop("c", {"x.zip": b"no archive", **dataset("c")})
    lab.drop("d", dataset("d"))
    lab.scan()
    faulty = {name: bool(announced.faults) for name, announced in lab.announced().items()}
    assert faulty == {"a": True, "b": True, "c": True, "d": False}
    assert sorted(record.sample.clip for record in lab.sources()) == ["c", "d"]


def test_a_surprise_stops_no_other(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = lab.inbox.fetch_file

    def fetch(key: str, file: Path) -> None:
        if key == "a/clips.csv":
            raise ZeroDivisionError
        real(key, file)

    monkeypatch.setattr(lab.inbox, "fetch_file", fetch)
    lab.drop("a", dataset("a"))
    lab.drop("b", dataset("b"))
    lab.scan()
    assert lab.announced()["a"].faults == (
        "a: expected a dataset that can be read, got ZeroDivisionError: . Correct it.",
    )
    assert (lab.announced()["a"].complete, lab.announced()["b"].complete) == (False, True)
    assert lab.process.is_ready()
    lab.scan()
    assert len(lab.announcements()) == 2, "it is ignored until it changes"


def test_a_dataset_with_the_clips_of_another_is_refused_and_both_are_named(lab: Lab) -> None:
    """`own` and `copy` both say in their sheets that they are the dataset `lab`."""
    sheets = dataset("a")["clips.csv"].replace(b"\n,s,", b"\nlab,s,")
    lab.drop("own", dataset("a") | {"clips.csv": sheets})
    lab.scan()
    before = lab.announced()["own"]
    lab.drop("copy", dataset("a") | {"clips.csv": sheets, "frames/a/img1.jpg": b"other"})
    lab.drop("third", dataset("b"))
    for _ in range(3):
        lab.scan()
    now = lab.announced()
    assert now["own"] == before
    assert now["third"].complete
    assert (now["copy"].clips, now["copy"].complete) == ({}, False)
    assert now["copy"].faults == (
        "copy: expected clips of its own, but 1, such as lab/s/a, are those of the dataset own. Correct the column "
        "`dataset` of clips.csv, or remove one of the two.",
    )
    assert [record.sample.dataset for record in lab.sources()] == ["lab", "third"]
    lab.restart()
    lab.scan()
    assert lab.announced() == now, "the same after a restart, whatever the order of names"
    for key in list(lab.inbox.list_keys("own/")):
        lab.inbox.delete(key)
    lab.scan()
    lab.scan()
    assert lab.announced()["copy"].complete, "the clips are nobody's any more"


def test_trouble_with_one_dataset_comes_after_the_others(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    real = lab.inbox.fetch_file

    def fetch(key: str, file: Path) -> None:
        if key.startswith("a/frames"):
            raise Unavailable("away")
        real(key, file)

    monkeypatch.setattr(lab.inbox, "fetch_file", fetch)
    lab.drop("a", dataset("a"))
    lab.drop("b", dataset("b"))
    with pytest.raises(Unavailable):
        lab.scan()
    assert set(lab.announced()) == {"b"}
    assert not lab.process.is_ready()
    monkeypatch.undo()
    lab.scan()
    assert set(lab.announced()) == {"a", "b"}


def test_litter_is_passed_over(lab: Lab) -> None:
    lab.drop("d", dataset("a"))
    for key in (
        "d/.DS_Store",
        "d/Thumbs.db",
        "__MACOSX/d/._x",
        "d/__MACOSX/x.csv",
        ".git/x",
        "readme.txt",
        "d/~$x.xlsx",
    ):
        lab.inbox.put(key, b"x")
    lab.scan()
    assert lab.only().complete
    assert lab.only().name == "d"


def test_a_folder_dropped_into_a_folder_is_found(lab: Lab) -> None:
    lab.drop("d", {f"upload/d/{path}": data for path, data in dataset("a").items()})
    lab.scan()
    assert lab.only().complete
    assert lab.sources()[0].sample.dataset == "d"


def test_clips_are_fetched_one_at_a_time_and_dropped(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.drop("d", dataset("a", "b", "c"))
    real, most = lab.inbox.fetch_file, 0

    def fetch(key: str, file: Path) -> None:
        nonlocal most
        real(key, file)
        work = lab.process.scratch.work
        most = max(most, len([f for f in work.rglob("*.jpg") if f.stat().st_size]))

    monkeypatch.setattr(lab.inbox, "fetch_file", fetch)
    lab.scan()
    assert most == 3, "the frames of one clip"
    assert list(lab.process.scratch.work.iterdir()) == []


def test_two_replicas_do_no_harm(lab: Lab) -> None:
    other = lab.start()
    assert other.scratch.work != lab.process.scratch.work
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    other.scan_now()
    lab.drop("d", {**dataset("a", "b", "c")})
    other.scan_now()
    lab.scan()
    other.scan_now()
    other.close()
    assert len(lab.only().clips) == 3
    assert len({(r.sample.identity, r.recipe) for r in lab.sources()}) == 3


def test_metrics_say_what_came_of_the_clips(lab: Lab) -> None:
    lab.drop("d", {**frames("a"), "clips.csv": sheet({"a": "others", "b": "others"})})
    lab.scan()
    value = lab.process.metrics.registry.get_sample_value
    assert value("mer_inbox_clips", {"dataset": "d", "state": "emitted"}) == 1
    assert value("mer_inbox_clips", {"dataset": "d", "state": "faulty"}) == 1
    assert value("mer_inbox_scan_seconds_count") == 1
    for key in list(lab.inbox.list_keys()):
        lab.inbox.delete(key)
    lab.scan()
    assert value("mer_inbox_clips", {"dataset": "d", "state": "emitted"}) is None
