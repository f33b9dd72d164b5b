"""Which errors end a command, and what it says then: real disks and folders where a machine has them."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from shared.errors import StorageRefused
from shared.storage_faults import (
    describe_storage_fault,
    is_lasting_fault,
    require_writable_file,
    require_writable_folder,
    stop_on_storage_fault,
)
from shared.store import LocalStore

LASTING = ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "ENOTDIR", "EISDIR", "EEXIST", "ENAMETOOLONG")
PASSING = ("EIO", "EAGAIN", "ETIMEDOUT", "ECONNRESET", "EINTR", "EMFILE")


@pytest.mark.parametrize("name", [*LASTING, *PASSING])
def test_only_what_time_does_not_repair_is_lasting(name: str) -> None:
    number = getattr(errno, name)
    error = OSError(number, os.strerror(number), "out/store/x")
    assert is_lasting_fault(error) is (name in LASTING)
    if name in LASTING:
        sentence = describe_storage_fault(error)
        assert sentence.startswith(f"out/store/x: {os.strerror(number)}. ")
        assert sentence.endswith(".")


def test_a_full_disk_says_that_the_command_continues() -> None:
    said = describe_storage_fault(OSError(errno.ENOSPC, "x", "out"))
    assert said == "out: No space left on device. Free space there. The same command continues where it stopped."


def test_the_store_names_the_file_that_a_full_disk_refuses() -> None:
    """A write names no file, only the store knows it. /dev/full is a full disk."""
    with pytest.raises(OSError, match="No space left") as raised, Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")
    assert raised.value.filename is None
    refused = pytest.raises(StorageRefused, match=r"^out/run: No space left on device\. Free space there\.")
    with refused, stop_on_storage_fault(Path("out/run")):
        raise raised.value


def test_a_database_that_is_none_and_one_that_is_full(tmp_path: Path) -> None:
    (tmp_path / "bus.sqlite").write_bytes(b"no database, but long enough to be read as one" * 100)
    with pytest.raises(StorageRefused, match=r"Its bus\.sqlite is damaged"), stop_on_storage_fault(tmp_path):
        sqlite3.connect(tmp_path / "bus.sqlite").execute("CREATE TABLE t (x)")
    small = sqlite3.connect(tmp_path / "small.sqlite")
    small.execute("CREATE TABLE t (x)")
    small.execute("PRAGMA max_page_count = 3")
    with pytest.raises(StorageRefused, match="No space left on device"), stop_on_storage_fault(tmp_path):
        small.execute("INSERT INTO t VALUES (?)", (b"x" * 100_000,))


def test_a_passing_fault_goes_through() -> None:
    with pytest.raises(OSError, match="again"), stop_on_storage_fault(Path("x")):
        raise OSError(errno.EAGAIN, "again")


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("file", "file: File exists. A file is where a folder is needed"),
        ("file/below", "file/below: Not a directory. A file is where a folder is needed"),
        ("n" * 300, "File name too long. Shorten the names."),
        ("/proc/out", "/proc/out: "),
        ("link", "link: "),
    ],
)
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, place: str, reason: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at all" if place == "link" else tmp_path)
    if place == "link":
        (tmp_path / "nowhere").write_text("")
    with pytest.raises(StorageRefused) as raised:
        require_writable_folder(tmp_path / place)
    assert reason in str(raised.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_that_can_be_written_is_created_and_stays_empty(tmp_path: Path) -> None:
    require_writable_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_page_keeps_its_content_while_it_is_checked(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("old")
    require_writable_file(tmp_path / "page.html")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
    with pytest.raises(StorageRefused, match="Is a directory"):
        require_writable_file(tmp_path)


def test_a_store_below_a_file_names_the_place(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.put("a", b"x")
    with pytest.raises(OSError, match=r"File exists|Not a directory") as raised:
        store.put("a/b", b"x")
    assert is_lasting_fault(raised.value)
    assert str(tmp_path / "store" / "a") in str(raised.value.filename)
