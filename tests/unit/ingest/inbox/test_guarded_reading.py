"""A sheet or video that ends its reader is a fault of its own dataset. The others are announced meanwhile."""

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from services.ingest.inbox.guarded_reading import GuardedReading
from shared.errors import BadData
from shared.settings import Settings
from shared.video.index import read_file_index
from tests.unit.ingest.inbox.lab import HEADER, Lab, dataset

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
        refused = lab.process.reading._refused
        assert list(refused.values()) == [fault]
        lab.scan()
        assert len(lab.announcements()) == 2, "it is as it was"


def end_reader(tries: Path) -> None:
    """As a crash of a decoder."""
    with tries.open("a") as stream:
        stream.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_content_that_ended_its_reader_is_not_tried_again(tmp_path: Path) -> None:
    bad, good, tries = tmp_path / "bad.csv", tmp_path / "good.csv", tmp_path / "tries"
    bad.write_text("x,y\n")
    good.write_text("a,b\n1,2\n")
    (tmp_path / "again.csv").write_bytes(bad.read_bytes())
    with closing(GuardedReading(Settings(), lambda: None)) as reading:
        for file in (bad, tmp_path / "again.csv"):
            with pytest.raises(BadData, match=r"bad\.csv: .* its process ended, killed by the system \(SIGKILL\)"):
                reading._call(file, end_reader, tries)
        assert [table.rows for table in reading.read_sheet(good)] == [(("a", "b"), ("1", "2"))]
    assert tries.read_text() == "x"


@pytest.mark.parametrize("text", ["ffconcat version 1.0\nfile 'other.mp4'\n", "#EXTM3U\nother.mp4\n", "v=0\nm=video\n"])
@pytest.mark.parametrize("suffix", [".avi", ".mp4", ".mkv", ".mpg"])
def test_a_text_that_names_other_files_is_no_video(text: str, suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"clip{suffix}"
    file.write_text(text)
    (tmp_path / "other.mp4").write_bytes(b"")
    with pytest.raises(BadData, match="expected a video, got a file that cannot be opened as one"):
        read_file_index(file)


def raise_surprise(file: Path) -> None:
    """As a library does with bytes that it was never tried on."""
    raise IndexError("string index out of range")


def test_a_surprise_in_reading_is_a_sentence(tmp_path: Path) -> None:
    """Raised as it comes, it would end the inbox."""
    file = tmp_path / "odd.xlsx"
    file.write_bytes(b"odd")
    with (
        closing(GuardedReading(Settings(), lambda: None)) as reading,
        pytest.raises(BadData, match=r"odd\.xlsx: .* given up: IndexError: string index out of range; save"),
    ):
        reading._call(file, raise_surprise, file)
