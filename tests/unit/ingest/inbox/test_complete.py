"""When a dropped dataset is complete: what may still come is awaited, what is gone is awaited no more."""

from pathlib import Path

from services.ingest.inbox import ledger
from tests.unit.ingest.inbox.lab import HEADER, Lab, dataset, frames, sheet

FIVE = {
    "clips.csv": f"{HEADER}\n,s,a,frames/a,1,3,5,200,others,".encode(),
    **{f"frames/a/img{number}.jpg": b"a %d" % number for number in range(1, 6)},
}


def test_frames_that_are_missing_are_told_and_come_later(lab: Lab) -> None:
    lab.drop("d", {**frames("a"), "clips.csv": sheet({"a": "others", "b": "others"})})
    lab.scan()
    (fault,) = lab.only().faults
    assert "clips.csv row 3: expected the clip at frames/b, got nothing there" in fault
    assert str(lab.inbox.folder.parent) not in fault
    assert (len(lab.only().clips), lab.only().complete) == (1, False)
    lab.drop("d", frames("b"))
    lab.scan()
    assert (len(lab.only().clips), lab.only().complete, lab.only().faults) == (2, True, ())
    assert len(lab.sources()) == 2


def test_faults_are_final_when_nothing_came_for_long(lab: Lab) -> None:
    lab.drop("d", {**frames("a"), "clips.csv": sheet({"a": "others", "b": "others"})})
    due = lab.scan()
    assert 0 < due <= lab.settings.inbox_patience_seconds
    assert not lab.only().complete
    lab.passed += 301
    lab.scan()
    assert (lab.only().complete, len(lab.only().faults)) == (True, 1)
    lab.passed -= 301
    lab.drop("d", {"frames/b/img1.jpg": b"b 1"})
    lab.scan()
    assert not lab.only().complete, "something comes again"
    assert len(lab.sources()) == 1


def test_a_clip_with_a_hole_waits_for_its_frame(lab: Lab) -> None:
    files = dict(FIVE)
    late = files.pop("frames/a/img2.jpg")
    lab.drop("d", files)
    lab.scan()
    assert lab.sources() == []
    assert "s/a: expected all frames, 1 are missing" in lab.only().faults[0]
    lab.drop("d", {"frames/a/img2.jpg": late})
    lab.scan()
    assert [lab.packed(record) for record in lab.sources()] == [b"a 1a 2a 3a 4a 5"]


def test_a_clip_that_lacks_a_quarter_is_a_fault_until_its_frames_come(lab: Lab) -> None:
    files = dict(FIVE)
    late = {name: files.pop(name) for name in ("frames/a/img2.jpg", "frames/a/img4.jpg")}
    lab.drop("d", files)
    lab.passed += 301
    lab.scan()
    assert lab.sources() == []
    assert "expected the 5 frames 1 to 5, got 3: 2 are missing, a quarter or more" in lab.only().faults[0]
    lab.passed -= 301
    lab.drop("d", late)
    lab.scan()
    assert [lab.packed(record) for record in lab.sources()] == [b"a 1a 2a 3a 4a 5"]


def test_a_sheet_that_seems_to_count_from_1_waits_for_the_last_frame(lab: Lab) -> None:
    """Files 0 to 8 came so far, and the offset is 9."""
    came = {f"frames/a/img{number}.jpg": b"%d" % number for number in range(9)}
    lab.drop("d", {"clips.csv": f"{HEADER}\n,s,a,frames/a,3,5,9,200,others,".encode(), **came})
    lab.scan()
    assert lab.sources() == []
    assert "s/a: its sheet seems to count from another number than its frames" in lab.only().faults[0]
    lab.drop("d", {"frames/a/img9.jpg": b"9"})
    lab.scan()
    assert [lab.packed(record) for record in lab.sources()] == [b"3456789"]


def test_a_clip_that_no_sheet_counts_waits_until_nothing_came_for_long(lab: Lab) -> None:
    clip = "SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01"
    lab.drop("d", {f"{clip}/reg_image00000{number}.bmp": b"%d" % number for number in (1, 2)})
    lab.scan()
    assert lab.sources() == []
    assert "no sheet says how many frames it has" in lab.only().faults[0]
    lab.drop("d", {f"{clip}/reg_image000003.bmp": b"3"})
    lab.scan()
    lab.passed += 301
    lab.scan()
    assert [lab.packed(record) for record in lab.sources()] == [b"123"]
    assert (lab.only().faults, lab.only().complete) == ((), True)


def test_a_hole_is_filled_when_nothing_came_for_long(lab: Lab) -> None:
    files = dict(FIVE)
    del files["frames/a/img2.jpg"]
    lab.drop("d", files)
    lab.scan()
    lab.passed += 301
    lab.scan()
    assert [lab.packed(record) for record in lab.sources()] == [b"a 1a 1a 3a 4a 5"]
    assert (lab.only().faults, lab.only().complete) == ((), True)
    lab.passed -= 301
    lab.drop("d", {"more.txt": b""})
    lab.scan()
    assert (len(lab.sources()), len(lab.only().clips)) == (1, 1), "emitted is emitted"


def test_without_a_sheet_there_is_one_fault(lab: Lab) -> None:
    lab.drop("d", frames("a"))
    lab.passed += 1000
    lab.scan()
    assert (lab.only().clips, lab.only().complete, len(lab.only().faults)) == ({}, False, 1)
    assert "expected" in lab.only().faults[0]
    assert str(lab.settings.scratch) not in lab.only().faults[0]


def test_a_removed_dataset_is_awaited_no_more(lab: Lab) -> None:
    lab.drop("d", dataset("a"))
    lab.drop("e", dataset("b"))
    lab.scan()
    for key in list(lab.inbox.list_keys("d/")):
        lab.inbox.delete(key)
    lab.restart()
    lab.scan()
    assert set(lab.announced()) == {"e"}
    assert lab.announcements()[-1] is None
    assert ledger.recorded_datasets(lab.store) == {"e"}
    lab.drop("d", dataset("a"))
    lab.scan()
    assert lab.announced()["d"].complete


def test_a_removed_clip_is_no_part_any_more(lab: Lab) -> None:
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    lab.drop("d", {"clips.csv": sheet({"b": "others"})})
    lab.scan()
    assert [identity.rpartition("/")[2] for identity in lab.only().clips] == ["b"]
    assert len(lab.sources()) == 2


def test_a_dataset_is_left_alone_until_it_settles(tmp_path: Path) -> None:
    lab = Lab(tmp_path, inbox_settle_seconds=5000)
    lab.drop("d", dataset("a"))
    due = lab.scan()
    assert 4900 < due <= 5000
    assert (lab.sources(), lab.announced()) == ([], {})
    lab.passed += 5001
    lab.scan()
    assert len(lab.sources()) == 1
    lab.close()


def test_the_servers_clock_counts(lab: Lab) -> None:
    from services.ingest.inbox.scan import server_clock

    now = server_clock(lab.store)()
    (entry,) = lab.store.list_objects("inbox-clock")
    assert entry.modified == now
