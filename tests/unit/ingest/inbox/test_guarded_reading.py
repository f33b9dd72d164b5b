"""A sheet or video that ends its reader is a fault of its own dataset. The others are announced meanwhile."""

import os
import shutil
import signal
import struct
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from services.ingest.inbox import guarded_tasks
from services.ingest.inbox.dropped_files import DatasetContents
from services.ingest.inbox.dry_discovery import DiscoveryView
from services.ingest.inbox.guarded_reading import GuardedReading
from services.ingest.inbox.guarded_tasks import TaskTools, run_discovery
from services.ingest.inbox.refused_contents import RefusedContents
from shared.errors import BadData
from shared.records import Dataset
from shared.settings import Settings
from shared.store import LocalStore
from shared.video.index import read_file_index
from shared.worker.child import ChildLimits
from tests.unit.ingest.inbox.lab import HEADER, Lab, dataset
from tests.unit.ingest.inbox.packed import zipped

TIGHT = 500 << 20  # bytes: enough to read a usual sheet
HEAVY = (HEADER + "\n" + ("," * 63 + "\n") * 49_000).encode()  # within the limits on rows and columns


def test_a_sheet_that_needs_too_much_memory_is_the_fault_of_its_dataset(tmp_path: Path) -> None:
    lab = Lab(tmp_path, work_in_child=True, work_memory_bytes=TIGHT, inbox_patience_seconds=0)
    with closing(lab):
        lab.drop("bad", dataset("a") | {"clips.csv": HEAVY.replace(b",", b"," + b"a" * 8)})
        lab.drop("good", dataset("a"))
        lab.scan()
        assert [record.sample.dataset for record in lab.sources()] == ["good"]
        (fault,) = next(each.faults for each in lab.announced().values() if each.name == "bad")
        assert fault.startswith("clips.csv: expected a file that can be read, got one whose reading was given up: ")
        lab.scan()
        assert len(lab.announcements()) == 2, "it is as it was"


def end_reader(tools: TaskTools, tries: Path) -> None:
    """As a crash of a decoder."""
    with tries.open("a") as stream:
        stream.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def count_lines(tools: TaskTools, file: Path) -> int:
    return file.read_text().count("\n")


def open_reading(folder: Path) -> GuardedReading:
    return GuardedReading(
        Settings(home=folder), LocalStore(folder / "inbox"), LocalStore(folder / "store"), lambda: None
    )


def test_a_content_that_ended_its_reader_is_not_tried_again_by_any_process(tmp_path: Path) -> None:
    tries, good = tmp_path / "tries", tmp_path / "good.csv"
    good.write_text("a,b\n1,2\n")
    for _ in range(2):
        with closing(open_reading(tmp_path)) as reading:
            with pytest.raises(BadData, match=r"bad\.csv: .* its process ended, killed by the system \(SIGKILL\)"):
                reading._run_once("bad.csv", end_reader, (tries,), "d", "its etag")
            assert reading._run_once("good.csv", count_lines, (good,), "d", "another etag") == 2
    assert tries.read_text() == "x"


def test_with_more_memory_it_is_tried_again(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    RefusedContents(store, ChildLimits(900, 1 << 30)).refuse_content("too large.", "d", "etag", 7)
    assert RefusedContents(store, ChildLimits(900, 1 << 30)).find_sentence("d", "etag", 7) == "too large."
    assert RefusedContents(store, ChildLimits(900, 1 << 30)).find_sentence("d", "etag", 8) == ""
    assert RefusedContents(store, ChildLimits(900, 2 << 30)).find_sentence("d", "etag", 7) == ""


def test_of_a_dataset_that_is_removed_nothing_stays_noted(tmp_path: Path) -> None:
    with closing(Lab(tmp_path)) as lab:
        for name in ("d", "other"):
            lab.drop(name, dataset("a"))
            lab.process.reading.refused.refuse_content("somebody.avi: too large.", name, "etag")
        lab.scan()
        for entry in list(lab.inbox.list_objects("d/")):
            lab.inbox.delete(entry.key)
        lab.scan()
        assert [key.split("/")[1] for key in lab.store.list_keys("inbox-refused/")] == ["other"]
        assert lab.process.reading.refused.find_sentence("d", "etag") == ""


def scan_with_child(folder: Path, **settings: Any) -> dict[str, Dataset]:
    """What an inbox announces that reads in a child. `bad` and `good` were uploaded."""
    lab = Lab(folder, work_in_child=True, inbox_patience_seconds=0, **settings)
    with closing(lab):
        lab.scan()
        return lab.announced()


def test_an_archive_that_needs_too_much_memory_is_the_fault_of_its_dataset(tmp_path: Path) -> None:
    record = struct.pack("<4s6H3I5H2I", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    listed = record * 800_000  # within the limit on the list of contents
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(listed), 0, 0)
    inbox = LocalStore(tmp_path / "inbox")
    inbox.put("bad.zip", listed + end)
    inbox.put("good.zip", zipped(dataset("a")))
    for _ in range(2):
        announced = scan_with_child(tmp_path, work_memory_bytes=TIGHT // 2)
        assert len(announced["good"].clips) == 1
        fault = announced["bad"].faults[0]
        assert fault.startswith("bad.zip: expected a")
        assert "memory" in fault
        shutil.rmtree(tmp_path / "scratch")  # another pod has another disk


def test_frames_that_need_too_much_memory_are_the_fault_of_their_clip(tmp_path: Path) -> None:
    inbox = LocalStore(tmp_path / "inbox")
    for path, data in (dataset("a", "b") | {"frames/a/img2.jpg": bytes(400 << 20)}).items():
        inbox.put(f"d/{path}", data)
    announced = scan_with_child(tmp_path, work_memory_bytes=TIGHT)["d"]
    (fault,) = announced.faults
    assert fault.startswith(
        "s/a: img1.jpg: expected a file that can be read, got one whose reading was given up: memory"
    )
    assert [identity.rpartition("/")[2] for identity in announced.clips] == ["b"]


def deadly_discovery(
    tools: TaskTools,
    name: str,
    contents: DatasetContents,
    scratch: Path,
    known_lengths: Mapping[str, int],
    refused: Mapping[str, str],
) -> tuple[DiscoveryView, dict[str, int]]:
    """A discovery that dies of a sheet named deadly.csv, and of a dataset with such a folder."""
    for path in contents.files.keys() - refused.keys():
        if path.endswith("deadly.csv"):
            tools.note_file(path)
        if "deadly" in path:
            os.kill(os.getpid(), signal.SIGKILL)
    return run_discovery(tools, name, contents, scratch, known_lengths, refused)


@pytest.mark.parametrize(
    ("killer", "clips", "named"),
    [("deadly.csv", 1, ""), ("deadly/x.jpg", 0, "bad: expected a file that can be read, got one whose reading")],
)
def test_a_discovery_that_is_killed_leaves_the_others_alone_and_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killer: str, clips: int, named: str
) -> None:
    monkeypatch.setattr(guarded_tasks, "run_discovery", deadly_discovery)
    inbox = LocalStore(tmp_path / "inbox")
    for name, files in (("bad", dataset("a") | {killer: b"x"}), ("good", dataset("a"))):
        for path, data in files.items():
            inbox.put(f"{name}/{path}", data)
    for _ in range(2):
        announced = scan_with_child(tmp_path)
        assert len(announced["good"].clips) == 1
        assert len(announced["bad"].clips) == clips
        assert [fault[: len(named)] for fault in announced["bad"].faults] == ([named] if named else [])
        assert len(list(LocalStore(tmp_path / "store").list_keys("inbox-refused/"))) == 1


@pytest.mark.parametrize("text", ["ffconcat version 1.0\nfile 'other.mp4'\n", "#EXTM3U\nother.mp4\n", "v=0\nm=video\n"])
@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv", ".mpg"])
def test_a_text_that_names_other_files_is_no_video(text: str, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"clip{suffix}"
    file.write_text(text)
    (tmp_path / "other.mp4").write_bytes(b"")
    with pytest.raises(BadData, match="expected a video, got a file that cannot be opened as one"):
        read_file_index(file)


def raise_surprise(tools: TaskTools) -> None:
    """As a library does with bytes that it was never tried on."""
    raise IndexError("string index out of range")


def test_a_surprise_in_reading_is_a_sentence(tmp_path: Path) -> None:
    """Raised as it comes, it would end the inbox."""
    with (
        closing(open_reading(tmp_path)) as reading,
        pytest.raises(BadData, match=r"odd\.xlsx: .* given up: IndexError: string index out of range; save"),
    ):
        reading._run_once("odd.xlsx", raise_surprise, (), "d", "etag")
