"""Names in archives that do not say their encoding, and paths that differ between systems."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from services.ingest.inbox.archive import ArchiveUnpacker, UnpackingBudget
from shared.errors import BadData
from tests.unit.ingest.inbox.packed import Files, named, zipped


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


@pytest.mark.parametrize(("second", "told"), [(b"2", 1), (b"1", 0)])
def test_of_two_members_with_one_name_the_last_counts_and_is_told(tmp_path: Path, second: bytes, told: int) -> None:
    packed = zipped({"a/x.csv": b"1", "b/y.csv": second}).replace(b"b/y.csv", b"a/x.csv")
    unpacked, notes = unpack(tmp_path, "d.zip", packed)
    assert unpacked == {"a/x.csv": second}
    assert notes == ["d.zip: 'a/x.csv' is there more than once. The last one was taken"][:told]


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
