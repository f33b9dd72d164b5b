"""What does not fit on the scratch disk is not unpacked. It is no fault of its dataset: it comes once there is room."""

import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from services.ingest.inbox.archive import ArchiveUnpacker, UnpackingBudget
from shared.errors import BadData, Unavailable
from shared.packed_clips import write_packed_clip
from shared.scratch import SPARE_BYTES, require_free_bytes
from tests.small_disk import mount_small_disk, resize_disk
from tests.unit.ingest.inbox.lab import Lab, dataset
from tests.unit.ingest.inbox.packed import PACKERS

MIB = 1 << 20
SMALL, LARGE = f"{SPARE_BYTES // MIB + 8}m", f"{SPARE_BYTES // MIB + 100}m"
BIG = dataset("a") | {"frames/a/img2.jpg": bytes(20 * MIB), "frames/a/img3.jpg": bytes(20 * MIB)}


def claim_bytes(packed: bytes, size: int) -> bytes:
    """The same .zip with a list of contents that claims `size` bytes of each file."""
    data, at = bytearray(packed), -1
    while (at := data.find(b"PK\1\2", at + 1)) >= 0:
        data[at + 24 : at + 28] = struct.pack("<I", size)
    return bytes(data)


def huge_zip(files: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(files):
            archive.writestr(str(number), b"x")
    return claim_bytes(buffer.getvalue(), 0xFFFFFFFE)


def test_the_sentence_says_what_is_needed_what_is_free_and_what_to_do(tmp_path: Path) -> None:
    require_free_bytes(tmp_path, 0, "d.zip")
    with pytest.raises(Unavailable) as refused:
        require_free_bytes(tmp_path, 1 << 60, "d.zip")
    assert str(refused.value).startswith(f"d.zip: expected 1099511627776 MiB of free space in {tmp_path}, got ")
    assert "set MER_SCRATCH to a folder on a larger disk" in str(refused.value)


def test_a_zip_is_measured_by_its_list_of_contents_before_anything_is_written(tmp_path: Path) -> None:
    files = 50_000  # 200 TiB
    (tmp_path / "d.zip").write_bytes(huge_zip(files))
    unpacking = ArchiveUnpacker(tmp_path / "data", UnpackingBudget(files, 1 << 60), lambda: None)
    with pytest.raises(Unavailable, match=r"d\.zip: expected 204800000 MiB of free space"):
        unpacking.unpack_archive(tmp_path / "d.zip", "d.zip")
    assert unpacking.required == files * 0xFFFFFFFE
    assert not [file for file in (tmp_path / "data").rglob("*") if file.is_file()]


def test_an_archive_beyond_the_limits_is_the_fault_of_its_dataset_and_not_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "d.zip").write_bytes(huge_zip(1000))
    unpacking = ArchiveUnpacker(tmp_path / "data", UnpackingBudget(1000, 1 << 30), lambda: None)
    with pytest.raises(BadData, match="more bytes than they allow"):
        unpacking.unpack_archive(tmp_path / "d.zip", "d.zip")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mount_small_disk(tmp_path / "disk", SMALL) as folder:
        yield folder


@pytest.mark.parametrize("kind", [".zip", ".tar", ".tar.gz"])
def test_an_archive_without_room_waits_alone_and_comes_once_there_is_room(
    tmp_path: Path, disk: Path, kind: str
) -> None:
    lab = Lab(tmp_path / "lab", scratch=disk / "scratch")
    lab.inbox.put(f"big{kind}", PACKERS[kind](BIG))
    lab.drop("good", dataset("a"))
    for _ in range(2):
        with pytest.raises(Unavailable, match=rf"big{kind}: expected \d+ MiB of free space"):
            lab.scan()
        assert list(lab.announced()) == ["good"]
        assert list(lab.process.scratch.kept.iterdir()) == []
    fetched = [key for key, _ in lab.calls.of("fetch_file") if key == f"big{kind}"]
    assert len(fetched) == (0 if kind == ".tar" else 1), "it is known by now that it does not fit"
    resize_disk(disk, LARGE)
    lab.scan()
    assert {name: (len(found.clips), found.faults) for name, found in lab.announced().items()} == {
        "big": (1, ()),
        "good": (1, ()),
    }
    lab.close()


def test_files_without_room_wait_alone(tmp_path: Path, disk: Path) -> None:
    lab = Lab(tmp_path / "lab", scratch=disk / "scratch")
    lab.drop("big", BIG)
    lab.drop("good", dataset("a"))
    with pytest.raises(Unavailable, match=r"big/frames/a/img2\.jpg: expected 20 MiB of free space"):
        lab.scan()
    assert list(lab.announced()) == ["good"]
    resize_disk(disk, LARGE)
    lab.scan()
    assert lab.announced()["big"].faults == ()
    lab.close()


def test_a_packed_clip_without_room_is_not_written(disk: Path) -> None:
    with pytest.raises(Unavailable, match=r"clip\.avi: expected 21 MiB of free space"):
        write_packed_clip({"frames": np.zeros(20 * MIB, np.uint8)}, disk / "packed", "clip.avi")
    assert list(disk.iterdir()) == []
