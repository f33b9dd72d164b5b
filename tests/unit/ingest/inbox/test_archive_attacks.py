"""Nothing in an archive can reach beyond it, and none can fill the disk."""

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest

from services.ingest.inbox.archive import ArchiveUnpacker, UnpackingBudget
from shared.errors import BadData
from tests.unit.ingest.inbox.lab import Lab, dataset
from tests.unit.ingest.inbox.packed import named, tarred, zipped


def with_mode(path: str, mode: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(path)
    info.external_attr = mode << 16
    return info


def zip_of(*members: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members:
            archive.writestr(member, data)
    return buffer.getvalue()


def tar_of(*members: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(bytes(member.size)))
    return buffer.getvalue()


def encrypted() -> bytes:
    data = bytearray(zipped({"clips.csv": b"x" * 100}))
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def huge_header() -> bytes:
    """A pax header that claims 8 GB."""
    return named("x", type=tarfile.XHDTYPE, size=8 << 30).tobuf(tarfile.GNU_FORMAT) + bytes(1 << 16)


def greedy() -> bytes:
    """An .xz whose header asks for a dictionary of 4 GiB (its block header is at byte 12, the size's code at 16)."""
    data = bytearray(lzma.compress(tarred(dataset("a"))))
    data[16] = 40
    struct.pack_into("<I", data, 20, zlib.crc32(data[12:20]))
    return bytes(data)


def digits() -> bytes:
    """A pax header of 200,000 digits, which old versions of Python search in quadratic time."""
    header = b"1" * 200_000
    return named("x", type=tarfile.XHDTYPE, size=len(header)).tobuf(tarfile.GNU_FORMAT) + header + bytes(1024)


def before_the_start() -> bytes:
    """Its list of contents claims to lie later than it does, so that members lie before the file's first byte."""
    data = bytearray(zipped(dataset("a")))
    struct.pack_into("<I", data, data.rindex(b"PK\5\6") + 16, len(data) + 1000)
    return bytes(data)


ATTACKS = {
    "absolute.zip": (zip_of(("/etc/passwd", b"x")), "paths inside"),
    "drive.zip": (zip_of(("C:\\x", b"x")), "paths inside"),
    "climbs.zip": (zip_of(("a/../../../x", b"x")), "plain paths"),
    "climbs backwards.zip": (zip_of(("a\\..\\..\\x", b"x")), "plain paths"),
    "long name.zip": (zip_of(("a" * 300, b"x")), "plain paths"),
    "long path.zip": (zip_of(("/".join(["a" * 100] * 20), b"x")), "plain paths"),
    "link.zip": (zip_of((with_mode("a", stat.S_IFLNK | 0o777), b"/etc/passwd")), "link or device"),
    "fifo.zip": (zip_of((with_mode("a", stat.S_IFIFO), b"")), "link or device"),
    "device.zip": (zip_of((with_mode("a", stat.S_IFBLK), b"")), "link or device"),
    "encrypted.zip": (encrypted(), "without a password"),
    "cut.zip": (zipped(dataset("a"))[:-30], "damaged"),
    "before.zip": (before_the_start(), "damaged"),
    "no.zip": (b"<html>not found</html>", "damaged"),
    "empty.zip": (b"", "damaged"),
    "absolute.tar": (tar_of(named("/etc/passwd")), "paths inside"),
    "climbs.tar": (tar_of(named("../x")), "plain paths"),
    "symlink.tar": (tar_of(named("a", type=tarfile.SYMTYPE, linkname="/etc")), "link or device"),
    "hardlink.tar": (tar_of(named("a", type=tarfile.LNKTYPE, linkname="/etc/passwd")), "link or device"),
    "fifo.tar": (tar_of(named("a", type=tarfile.FIFOTYPE)), "link or device"),
    "device.tar": (tar_of(named("a", type=tarfile.BLKTYPE)), "link or device"),
    "sparse.tar": (tar_of(named("a", type=tarfile.GNUTYPE_SPARSE)), ""),
    "digits.tar": (digits(), "headers below"),
    "header.tar": (huge_header(), "headers below"),
    "header.tar.gz": (gzip.compress(huge_header()), "headers below"),
    "no.tar": (b"<html>not found</html>", "damaged"),
    "no.tar.gz": (b"<html>not found</html>", "damaged"),
    "no.tar.bz2": (b"<html>not found</html>", "damaged"),
    "no.tar.xz": (b"<html>not found</html>", "damaged"),
    "cut.tar.gz": (gzip.compress(tarred(dataset("a")))[:-30], "damaged"),
    "cut.tar.bz2": (bz2.compress(tarred({"a": bytes(range(256)) * 90}))[:-30], "damaged"),
    "cut.tar.xz": (lzma.compress(tarred({"a": bytes(range(256)) * 90}))[:-30], "damaged"),
    "cut.tar": (tarred({"a": bytes(5000)})[:2000], "damaged"),
    "dataset.rar": (b"Rar!", "expected a .zip or .tar archive"),
    "dataset.7z": (b"7z", "expected a .zip or .tar archive"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_one_fault_and_leaves_no_trace(lab: Lab, tmp_path: Path, name: str) -> None:
    data, said = ATTACKS[name]
    lab.drop("d", {**dataset("a"), name: data})
    lab.scan()
    (fault,) = lab.only().faults
    assert fault.startswith(f"d/{name}")
    assert said in fault
    assert len(lab.only().clips) == 1, "what lies beside it counts"
    assert {file.name for file in lab.process.scratch.kept.rglob("*") if file.is_file()} <= {"listing.json"}
    lab.fetched()
    lab.drop("d", {"more.md": b"x"})
    lab.scan()
    assert lab.calls.of("fetch_file") == [args for args in lab.calls.of("fetch_file") if args[0].endswith(".csv")], (
        "kept in mind"
    )


def test_a_dictionary_of_any_size_is_a_fault_of_its_dataset(tmp_path: Path) -> None:
    """In a process with little memory: there, the scan would be tried for ever."""
    (tmp_path / "a.tar.xz").write_bytes(greedy())
    code = (
        "import resource; from pathlib import Path; from services.ingest.inbox.archive_members import stream_members\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))\n"
        "try: list(stream_members(Path('a.tar.xz'), 'd/a.tar.xz'))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout.startswith("BadData d/a.tar.xz: expected an archive that can be unpacked"), done.stderr


def lying_bomb() -> bytes:
    """10 MB of zeros whose headers claim 10 bytes."""
    data = bytearray(zip_of(("a", bytes(10 << 20))))
    for signature, offset in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", data, data.index(signature) + offset, 10)
    return bytes(data)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("honest.zip", zip_of(("a", bytes(10 << 20)))),
        ("many.zip", zip_of(*((f"{n}", bytes(1 << 18)) for n in range(40)))),
        ("honest.tar.gz", gzip.compress(tar_of(named("a", size=10 << 20)))),
        ("many.tar.xz", lzma.compress(tar_of(*(named(f"{n}", size=1 << 18) for n in range(40))))),
        ("nested.zip", zip_of(*((f"{n}.zip", zip_of(("a", bytes(1 << 18)))) for n in range(40)))),
        ("files.zip", zip_of(*((f"{n}", b"") for n in range(200)))),
        ("files.tar", tar_of(*(named(f"{n}") for n in range(200)))),
    ],
)
def test_a_bomb_hits_the_limit(tmp_path: Path, name: str, data: bytes) -> None:
    lab = Lab(tmp_path, inbox_archive_bytes=1 << 20, inbox_archive_files=100)
    lab.drop("d", {name: data})
    lab.scan()
    assert any("within the inbox's limits" in fault for fault in lab.only().faults)
    lab.close()


def test_lying_headers_unpack_to_no_more_than_they_claim(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(lying_bomb())
    with pytest.raises(BadData, match="damaged"):
        ArchiveUnpacker(tmp_path / "out", UnpackingBudget(10, 1 << 20), lambda: None).unpack_archive(
            tmp_path / "a.zip", "a.zip"
        )
    assert sum(file.stat().st_size for file in (tmp_path / "out").rglob("*") if file.is_file()) <= 1 << 20


def test_bytes_are_counted_while_unpacking(tmp_path: Path) -> None:
    """Entries that share their data (a bomb without nesting) cost what they unpack to."""
    (tmp_path / "a.zip").write_bytes(zip_of(*((f"{n}", bytes(1 << 19)) for n in range(4))))
    with pytest.raises(BadData, match="more bytes"):
        ArchiveUnpacker(tmp_path / "out", UnpackingBudget(10, 1 << 20), lambda: None).unpack_archive(
            tmp_path / "a.zip", "a.zip"
        )
    assert sum(file.stat().st_size for file in (tmp_path / "out").rglob("*") if file.is_file()) <= 1 << 20


def test_nesting_has_an_end(lab: Lab) -> None:
    data = zipped(dataset("a"))
    for _ in range(5):
        data = zipped({"x.zip": data, "y.txt": b""})
    lab.inbox.put("d.zip", data)
    lab.scan()
    assert any("archives nested at most 3 deep" in fault for fault in lab.only().faults)


def test_a_stop_ends_unpacking(lab: Lab) -> None:
    from shared.worker import WorkAbandoned

    lab.inbox.put("d.zip", zipped(dataset("a")))
    real = lab.inbox.fetch_file

    def fetch(key: str, file: Path) -> None:
        real(key, file)
        lab.process.stopping.set()

    lab.inbox.fetch_file = fetch  # type: ignore[method-assign]
    with pytest.raises(WorkAbandoned):
        lab.scan()
    assert list(lab.process.scratch.kept.iterdir()) == []


def test_names_that_no_folder_can_hold_are_told(lab: Lab) -> None:
    from datetime import UTC, datetime

    from services.ingest.inbox.archive_cache import ArchiveCache
    from services.ingest.inbox.dropped_files import collect_contents
    from shared.store import ObjectInfo

    paths = ["a/../b", "a//b", "./a", "x" * 300, "a\0b", "fine", "fine/too", "bad\udcff"]
    entries = [(path, ObjectInfo(f"d/{path}", 1, "e", datetime.now(UTC))) for path in paths]
    held = collect_contents(entries, ArchiveCache(lab.process.scratch.kept, lab.inbox, 1, 1))
    assert list(held.files) == ["fine/too"]
    assert len(held.faults) == 7
