"""The loop: when it scans, what wakes it, how it waits trouble out, how it stops."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.ingest.inbox import events
from services.ingest.inbox.inbox import Inbox
from shared.errors import BadData, Misconfigured, Unavailable
from tests.background import run_in_background
from tests.unit.ingest.inbox.lab import Lab, dataset

# As MinIO sends it, less what nobody reads.
EVENT = (
    b'{"EventName": "s3:ObjectCreated:Put", "Key": "datasets/my lab/a.jpg", "Records": [{"eventName": '
    b'"s3:ObjectCreated:Put", "s3": {"bucket": {"name": "datasets"}, "object": {"key": "my+lab/%C3%9C+%2B.jpg"}}}]}'
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path, inbox_scan_seconds=100_000)
    yield lab
    lab.close()


def listened(lab: Lab) -> bool:
    """One step that finds no scan due; whether it took a notification."""
    before = lab.bus.group_progress("mer.bucket-events", "inbox").committed
    lab.process.step()
    return lab.bus.group_progress("mer.bucket-events", "inbox").committed > before


def test_it_scans_at_the_start_and_is_ready_then(lab: Lab) -> None:
    lab.drop("d", dataset("a"))
    assert not lab.process.is_ready()
    lab.process.step()
    assert lab.process.is_ready()
    assert lab.only().complete
    assert not lab.process.is_stalled()


def test_a_notification_wakes_it(lab: Lab) -> None:
    lab.process.step()
    lab.drop("d", dataset("a"))
    lab.process.step()
    assert lab.announced() == {}, "no scan is due"
    lab.bus.publish("mer.bucket-events", "k", EVENT)
    assert listened(lab)
    lab.process.step()
    assert lab.only().complete


def test_it_waits_until_what_woke_it_has_settled(tmp_path: Path) -> None:
    lab = Lab(tmp_path, inbox_scan_seconds=100_000, inbox_settle_seconds=50_000)
    lab.process.step()
    lab.bus.publish("mer.bucket-events", "k", EVENT)
    lab.process.step()
    lab.drop("d", dataset("a"))
    lab.passed += 60_000
    lab.process.step()
    assert lab.announced() == {}
    lab.close()


@pytest.mark.parametrize("content", [b"", b"look", b"{}", b'{"Records": [{"s3": {}}]}', b"\xff\xfe", b"[1]"])
def test_what_is_no_notification_is_passed_over(lab: Lab, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    lab.process.step()
    lab.drop("d", dataset("a"))
    lab.bus.publish("mer.bucket-events", "k", content)
    assert listened(lab)
    lab.process.step()
    assert lab.announced() == {}
    assert "expected an S3 notification" in caplog.text
    with pytest.raises(BadData):
        events.notified_uploads(content)


def test_keys_in_notifications_are_encoded() -> None:
    assert events.notified_uploads(EVENT) == {events.Upload("datasets", "my lab/Ü +.jpg")}


@pytest.mark.parametrize(
    ("bucket", "key", "awaited"),
    [
        ("datasets", "my lab/a.jpg", True),
        ("datasets", "S 1.zip", True),
        ("datasets", "x/.DS_Store", False),
        ("videos", "my lab/a.jpg", False),
    ],
)
def test_only_uploads_of_datasets_wake_it(lab: Lab, bucket: str, key: str, awaited: bool) -> None:
    assert lab.process.note_upload(events.Upload(bucket, key)) is awaited


def test_it_scans_again_when_patience_ends(tmp_path: Path) -> None:
    lab = Lab(tmp_path, inbox_scan_seconds=100_000, inbox_patience_seconds=1000)
    files = dataset("a", "b")
    del files["frames/b/img3.jpg"]
    lab.drop("d", files)
    assert lab.scan() < 1000
    lab.passed += 2000
    assert lab.scan() == float("inf")
    assert lab.only().complete
    lab.close()


def test_trouble_is_waited_out(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = []

    def away() -> None:
        attempts.append("")
        raise Unavailable("the store is away")

    monkeypatch.setattr(lab.inbox, "list_top", away)
    lab.drop("d", dataset("a"))
    while len(attempts) < 4:
        lab.process.step(timeout=1)
    assert not lab.process.is_ready()
    assert lab.process.metrics.registry.get_sample_value("mer_retries_total", {"stage": "inbox"}) == 4
    monkeypatch.undo()
    while not lab.process.is_ready():
        lab.process.step(timeout=1)
    assert lab.only().complete


def test_what_waiting_cannot_mend_ends_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise Misconfigured("no such bucket")

    monkeypatch.setattr(lab.inbox, "list_top", refused)
    with pytest.raises(Misconfigured):
        lab.process.run()


def test_it_runs_until_it_is_stopped(lab: Lab) -> None:
    lab.drop("d", dataset("a"))
    with run_in_background(lab.process.run, lab.process.stopping.set):
        while not lab.process.is_ready():
            time.sleep(0.01)
    assert lab.only().complete
    assert lab.process.metrics.registry.get_sample_value("mer_heartbeat_seconds", {"stage": "inbox"})


def test_a_stop_in_the_middle_of_a_dataset_keeps_what_was_done(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.drop("d", dataset("a", "b"))
    real = lab.bus.publish

    def publish(topic: str, *args: object) -> None:
        real(topic, *args)
        lab.process.stopping.set()

    monkeypatch.setattr(lab.bus, "publish", publish)
    lab.process.run()
    assert len(lab.sources()) == 1
    monkeypatch.undo()
    lab.process = lab.start()
    lab.scan()
    assert len(lab.sources()) == 2, "the first is not said again"
    assert lab.only().complete


def test_scratch_without_a_setting_is_ours_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    from shared.scratch import ScratchFolder
    from shared.settings import Settings

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    scratch = ScratchFolder(Settings(home=tmp_path), "inbox", "datasets")
    (root,) = tmp_path.iterdir()
    assert root.stat().st_mode & 0o77 == 0
    scratch.close()
    root.rename(tmp_path / "elsewhere")
    root.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Misconfigured, match="MER_SCRATCH"):
        ScratchFolder(Settings(home=tmp_path), "inbox", "datasets")


def test_two_inboxes_of_one_place_have_scratch_of_their_own(lab: Lab) -> None:
    other = Inbox(lab.inbox, lab.store, lab.bus, lab.settings)
    assert other.scratch.kept != lab.process.scratch.kept
    other.close()
    again = Inbox(lab.inbox, lab.store, lab.bus, lab.settings)
    assert again.scratch.kept == other.scratch.kept
    again.close()
