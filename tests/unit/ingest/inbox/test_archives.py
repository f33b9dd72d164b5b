"""Archives count as if unpacked where they lie, and nothing in one can reach beyond them."""

import bz2
import gzip
import io
import lzma
import shutil
import stat
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from services.ingest.inbox.archive import ArchiveUnpacker, UnpackingBudget
from shared.errors import BadData, Unavailable
from tests.unit.ingest.inbox.lab import Lab, dataset, frames, sheet

Files = Mapping[str, bytes]


def zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def tarred(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            archive.addfile(named(path, size=len(data)), io.BytesIO(data))
    return buffer.getvalue()


def named(path: str, **about: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    for name, value in about.items():
        setattr(info, name, value)
    return info


PACKERS: dict[str, Callable[[Files], bytes]] = {
    ".zip": zipped,
    ".ZIP": zipped,
    ".tar": tarred,
    ".tar.gz": lambda files: gzip.compress(tarred(files)),
    ".tgz": lambda files: gzip.compress(tarred(files)),
    ".tar.xz": lambda files: lzma.compress(tarred(files)),
    ".tar.bz2": lambda files: bz2.compress(tarred(files)),
}


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[list[str]]:
    """Recipes of `dataset("a", "b")` dropped as a folder."""
    lab = Lab(tmp_path / "plain")
    lab.drop("d", dataset("a", "b"))
    lab.scan()
    yield sorted(lab.only().clips.items())
    lab.close()


def below(folder: str, files: Files) -> dict[str, bytes]:
    return {f"{folder}/{path}": data for path, data in files.items()}


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("top", ["", "d", "Some other name"])
def test_an_archive_at_the_top_is_a_dataset(lab: Lab, plain: list[str], kind: str, top: str) -> None:
    files = below(top, dataset("a", "b")) if top else dataset("a", "b")
    lab.inbox.put(f"d{kind}", PACKERS[kind](files))
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain
    assert lab.only().complete


@pytest.mark.parametrize(
    ("archive", "inside"),
    [
        ("frames.zip", {path.removeprefix("frames/"): data for path, data in frames("a").items()}),  # a/img1.jpg
        ("frames.zip", frames("a")),
        ("frames/a.tgz", {path.removeprefix("frames/a/"): data for path, data in frames("a").items()}),
        ("frames/all.zip", {path.removeprefix("frames/"): data for path, data in frames("a").items()}),
        ("anything.zip", frames("a")),
    ],
)
def test_an_archive_stands_for_what_it_holds(
    lab: Lab, plain: list[str], archive: str, inside: dict[str, bytes]
) -> None:
    if archive == "frames.zip" and "a/img1.jpg" in inside:
        inside |= {path.removeprefix("frames/"): data for path, data in frames("b").items()}
        lab.drop("d", {"clips.csv": sheet(dict.fromkeys("ab", "others"))})
    else:
        lab.drop("d", {**frames("b"), "clips.csv": sheet(dict.fromkeys("ab", "others"))})
    lab.drop("d", {archive: PACKERS[archive[archive.rindex(".") :]](inside)})
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain


def test_archives_within_archives(lab: Lab, plain: list[str]) -> None:
    inner = zipped({path.removeprefix("frames/"): data for path, data in (frames("a") | frames("b")).items()})
    lab.inbox.put("d.zip", zipped({"frames.zip": inner, "clips.csv": sheet(dict.fromkeys("ab", "others"))}))
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain
    assert len(list(lab.process.scratch.archives.glob("*/data/*/*"))) == 7, "the inner archive is not kept"


def test_an_archive_from_a_mac(lab: Lab, plain: list[str]) -> None:
    litter = {"__MACOSX/d/._clips.csv": b"x", "d/.DS_Store": b"x"}
    lab.inbox.put("d.zip", zipped({**below("d", dataset("a", "b")), **litter}))
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain


def test_an_archive_made_by_a_program_that_writes_backslashes(lab: Lab, plain: list[str]) -> None:
    lab.inbox.put("d.zip", zipped({path.replace("/", "\\"): data for path, data in dataset("a", "b").items()}))
    lab.scan()
    assert sorted(lab.only().clips.items()) == plain


def zipped_as(files: Files, encoding: str) -> bytes:
    """As programs of old do it: names in the system's encoding, no flag that says so."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, data in enumerate(files.values()):
            archive.writestr(f"name-{number:03}", data)
    packed = buffer.getvalue()
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        old = [(info.filename, path) for info, path in zip(archive.infolist(), files, strict=True)]
    for placeholder, path in old:
        packed = packed.replace(placeholder.encode(), pad_name(path.encode(encoding), len(placeholder)))
    return packed


def pad_name(raw: bytes, length: int) -> bytes:
    """A name of the placeholder's length: slashes between parts may be doubled."""
    assert len(raw) <= length
    return raw.replace(b"/", b"/" * (length - len(raw) + 1), 1)


def tarred_as(files: Files, encoding: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, encoding=encoding) as archive:
        for path, data in files.items():
            archive.addfile(named(path, size=len(data)), io.BytesIO(data))
    return buffer.getvalue()


OLD_NAMES = {"gb18030": "惊讶", "cp932": "笑い", "utf-8": "惊讶", "cp437": "Bär"}


@pytest.mark.parametrize("encoding", OLD_NAMES)
def test_a_zip_that_does_not_say_its_encoding(tmp_path: Path, encoding: str) -> None:
    files = {f"{OLD_NAMES[encoding]}/1": b"one", f"{OLD_NAMES[encoding]}/2": b"two", "s": b"sheet"}
    files = {path: data for path, data in files.items() if path != "s"}
    unpacked, notes = unpack(tmp_path, "d.zip", zipped_as(files, encoding))
    assert unpacked == files
    assert len(notes) == (encoding != "utf-8")
    assert all(f"2 names are no UTF-8 and were read as {encoding}, for example" in note for note in notes)


@pytest.mark.parametrize("encoding", ["latin-1", "gb18030", "utf-8"])
def test_a_tar_that_does_not_say_its_encoding(tmp_path: Path, encoding: str) -> None:
    name = {"latin-1": "garçon/Café"}.get(encoding, "微表情/惊讶")
    files = {f"{name}/1.jpg": b"one", "plain/2.jpg": b"two"}
    unpacked, notes = unpack(tmp_path, "d.tar", tarred_as(files, encoding))
    assert unpacked == files
    assert len(notes) == (encoding != "utf-8")


def test_a_mac_and_a_sheet_write_accents_alike(tmp_path: Path) -> None:
    assert unpack(tmp_path, "d.zip", zipped({"Mu\u0308ller/1.jpg": b"one"})) == ({"Müller/1.jpg": b"one"}, [])


def test_folders_of_a_program_that_writes_backslashes_are_no_files(tmp_path: Path) -> None:
    assert unpack(tmp_path, "d.zip", zipped({"a\\": b"", "a\\b.jpg": b"one"})) == ({"a/b.jpg": b"one"}, [])


@pytest.mark.parametrize("path", ["惊讶/../../x", "/惊讶/x", "\\惊讶\\x"])
def test_a_decoded_name_is_as_safe_as_any(tmp_path: Path, path: str) -> None:
    with pytest.raises(BadData, match="expected p"):
        unpack(tmp_path, "d.tar", tarred_as({path: b"x"}, "gb18030"))


def unpack(folder: Path, name: str, data: bytes) -> tuple[dict[str, bytes], list[str]]:
    """Content by path, and notes."""
    (folder / name).write_bytes(data)
    unpacker = ArchiveUnpacker(folder / "data", UnpackingBudget(100, 10_000), lambda: None)
    members = unpacker.unpack_archive(folder / name, name)
    assert unpacker.faults == []
    return {member.path: (folder / "data" / member.file).read_bytes() for member in members}, unpacker.notes


def test_a_plan_under_another_name_is_told(lab: Lab) -> None:
    for path, data in {**dataset("a"), "Merstream.json.txt": b"{}"}.items():
        lab.inbox.put(f"d/{path}", data)
    lab.scan()
    assert lab.only().faults == ("Merstream.json.txt: expected settings in merstream.json, got this name; rename it.",)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_plan_that_powershell_wrote(lab: Lab, encoding: str) -> None:
    lab.drop("d", {**dataset("a"), "merstream.json": '{"profile": "paper"}\r\n'.encode(encoding)})
    lab.scan()
    assert (lab.only().pipeline.profile, lab.only().faults) == ("paper", ())


@pytest.mark.parametrize("name", ["d.tar.zst", "d.z01", "d.zip.001", "d.7z"])
def test_an_archive_of_another_kind_is_told(lab: Lab, name: str) -> None:
    lab.inbox.put(name, b"x")
    lab.scan()
    assert f"{name}: expected a .zip or .tar archive; unpack it and upload its contents." in lab.only().faults
    assert lab.only().name == "d"


def test_a_plan_beside_an_archive(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped(below("d", dataset("a"))))
    lab.drop("d", {"merstream.json": b'{"profile": "paper"}'})
    lab.scan()
    assert lab.only().pipeline.profile == "paper"
    assert len(lab.only().clips) == 1


def test_a_loose_file_counts_where_an_archive_holds_it_too(lab: Lab) -> None:
    lab.drop("d", {"frames.zip": zipped(frames("a")), "frames/a/img2.jpg": b"better", "clips.csv": sheet({"a": "x"})})
    lab.scan()
    assert [lab.packed(record) for record in lab.sources()] == [b"a 1bettera 3"]


def test_two_archives_that_disagree_are_told(lab: Lab) -> None:
    other = zipped({**frames("a"), "frames/a/img2.jpg": b"other"})
    lab.drop("d", {"1.zip": zipped(frames("a")), "2.zip": other, "clips.csv": sheet({"a": "x"})})
    lab.scan()
    assert lab.only().faults == ("d/2.zip: expected frames/a/img2.jpg once, got another in d/1.zip; keep one of them.",)


def test_of_an_archive_dropped_again_only_what_changed_is_done(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped(dataset("a", "b")))
    lab.scan()
    lab.inbox.put("d.zip", zipped({**dataset("a", "b"), "frames/b/img2.jpg": b"better"}))
    lab.scan()
    assert [lab.packed(record) for record in lab.sources()] == [b"a 1a 2a 3", b"b 1b 2b 3", b"b 1betterb 3"]
    assert len(list(lab.process.scratch.archives.iterdir())) == 1, "the old one is dropped"


def test_lost_scratch_is_rebuilt(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped(dataset("a", "b")))
    lab.scan()
    shutil.rmtree(lab.process.scratch.archives)
    lab.process.scratch.archives.mkdir()
    lab.drop("d", {"clips.csv": sheet({"a": "new", "b": "new"})})
    lab.scan()
    assert len(lab.only().clips) == 2


def test_half_lost_scratch_is_rebuilt(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped({"frames/a/img1.jpg": b"1", **frames("a")}))
    lab.scan()
    for file in lab.process.scratch.archives.glob("*/data/*/*"):
        file.unlink()
    lab.drop("d", {"clips.csv": sheet({"a": "x"})})
    with pytest.raises(Unavailable, match="scratch"):
        lab.scan()
    lab.scan()
    assert len(lab.only().clips) == 1


def test_what_is_unpacked_stays_over_a_restart(lab: Lab) -> None:
    lab.inbox.put("d.zip", zipped(dataset("a")))
    lab.scan()
    lab.fetched()
    lab.restart()
    lab.scan()
    assert lab.calls.of("fetch_file") == []


# What must not be unpacked.


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
    "no.zip": (b"<html>not found</html>", "damaged"),
    "empty.zip": (b"", "damaged"),
    "absolute.tar": (tar_of(named("/etc/passwd")), "paths inside"),
    "climbs.tar": (tar_of(named("../x")), "plain paths"),
    "symlink.tar": (tar_of(named("a", type=tarfile.SYMTYPE, linkname="/etc")), "link or device"),
    "hardlink.tar": (tar_of(named("a", type=tarfile.LNKTYPE, linkname="/etc/passwd")), "link or device"),
    "fifo.tar": (tar_of(named("a", type=tarfile.FIFOTYPE)), "link or device"),
    "device.tar": (tar_of(named("a", type=tarfile.BLKTYPE)), "link or device"),
    "sparse.tar": (tar_of(named("a", type=tarfile.GNUTYPE_SPARSE)), ""),
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
    assert {file.name for file in lab.process.scratch.archives.rglob("*") if file.is_file()} <= {"listing.json"}
    lab.fetched()
    lab.drop("d", {"more.md": b"x"})
    lab.scan()
    assert lab.calls.of("fetch_file") == [args for args in lab.calls.of("fetch_file") if args[0].endswith(".csv")], (
        "kept in mind"
    )


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
    assert list(lab.process.scratch.archives.iterdir()) == []


def test_names_that_no_folder_can_hold_are_told(lab: Lab) -> None:
    from datetime import UTC, datetime

    from services.ingest.inbox.archive_cache import ArchiveCache
    from services.ingest.inbox.dropped_files import collect_contents
    from shared.store import ObjectInfo

    paths = ["a/../b", "a//b", "./a", "x" * 300, "a\0b", "fine", "fine/too", "bad\udcff"]
    entries = [(path, ObjectInfo(f"d/{path}", 1, "e", datetime.now(UTC))) for path in paths]
    held = collect_contents(entries, ArchiveCache(lab.process.scratch.archives, lab.inbox, 1, 1, lambda: None))
    assert list(held.files) == ["fine/too"]
    assert len(held.faults) == 7
