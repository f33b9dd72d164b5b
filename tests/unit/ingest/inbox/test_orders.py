"""Whatever the order in which files come and whenever the inbox looks or dies: each clip once, the same records."""

import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.ingest.inbox.lab import Dead, Lab, dataset

FILES = dataset("a", "b")
RECORDS = 2


def effects(lab: Lab) -> list[object]:
    """What follows from what was published, whenever and how often."""
    records = {record.key: (record.sample, record.recipe, record.artifact) for record in lab.sources()}
    datasets = lab.only()
    return [sorted(records.items()), datasets.clips, datasets.complete, datasets.faults, datasets.pipeline]


def expected() -> list[object]:
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        lab.drop("d", FILES)
        lab.scan()
        found = effects(lab)
        lab.close()
        return found


EXPECTED = expected()


@settings(max_examples=30)
@given(
    order=st.permutations(sorted(FILES)),
    scans=st.lists(st.booleans(), min_size=len(FILES), max_size=len(FILES)),
    restarts=st.booleans(),
)
def test_any_order_with_scans_in_between(order: list[str], scans: list[bool], restarts: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder))
        for path, look in zip(order, scans, strict=True):
            lab.drop("d", {path: FILES[path]})
            if look:
                lab.scan()
            if restarts:
                lab.restart()
        lab.scan()
        assert len(lab.sources()) == RECORDS, "each clip exactly once"
        assert effects(lab) == EXPECTED
        lab.close()


def test_uploads_that_pause_for_less_than_settling_are_looked_at_once(tmp_path: Path) -> None:
    lab = Lab(tmp_path, inbox_settle_seconds=3600)
    order = sorted(FILES)
    random.Random(0).shuffle(order)
    for path in order:
        lab.drop("d", {path: FILES[path]})
        lab.passed += 1000  # the clock is not behind what was dropped, nor an hour ahead of it
        lab.scan()
        lab.passed -= 1000
    assert lab.announcements() == []
    lab.passed += 3601
    lab.scan()
    assert (len(lab.sources()), len(lab.announcements())) == (RECORDS, 1)
    assert effects(lab) == EXPECTED
    lab.close()


def test_killed_before_or_after_any_call_the_next_start_ends_the_same(tmp_path: Path) -> None:
    point, killed = 0, True
    while killed:
        killed = died(tmp_path / str(point), point)
        point += 1
    assert point > 40, "the last one lived through"


def died(folder: Path, point: int) -> bool:
    lab = Lab(folder)
    lab.drop("d", FILES)
    lab.calls.die_at = point
    try:
        lab.scan()
        killed = False
    except Dead:
        killed = True
    lab.calls.die_at = -1
    lab.restart()
    lab.scan()
    assert effects(lab) == EXPECTED, point
    assert len({(record.key, record.recipe) for record in lab.sources()}) == RECORDS
    assert [d.complete for d in lab.announcements() if d] == [True] * len(lab.announcements())
    lab.scan()
    lab.close()
    return killed


def test_killed_in_the_middle_of_a_change(tmp_path: Path) -> None:
    """Another plan, a removed clip and a removed dataset, with a death before every call."""
    point, killed = 0, True
    while killed:
        lab = Lab(tmp_path / str(point))
        lab.drop("d", FILES)
        lab.drop("gone", dataset("x"))
        lab.scan()
        lab.drop("d", {"merstream.json": b'{"profile": "paper"}', "frames/a/img1.jpg": b"better"})
        for key in list(lab.inbox.list_keys("gone/")):
            lab.inbox.delete(key)
        lab.calls.points, lab.calls.die_at = 0, point
        try:
            lab.scan()
            killed = False
        except Dead:
            killed = True
        lab.calls.die_at = -1
        lab.restart()
        lab.scan()
        assert lab.only().pipeline.profile == "paper", point
        assert lab.only().complete
        assert set(lab.announced()) == {"d"}
        newest = {record.key: record for record in lab.sources() if record.pipeline.profile == "paper"}
        assert {record.sample.identity: record.version for record in newest.values()} == dict(lab.only().clips)
        lab.close()
        point += 1
    assert point > 20
