"""The files in a .zip or a .tar (plain, gzip, xz, bzip2), one after another, each read as a stream."""

import bz2
import errno
import gzip
import lzma
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from services.ingest.inbox.member_names import escape_name, is_undecoded
from services.ingest.zip_directory import check_zip_directory
from shared.errors import BadData
from shared.inbox import names

ZIP_UTF8 = 0x800  # flag of a zip member: its name is UTF-8 (APPNOTE 4.4.4, bit 11)
PADDING_BYTES = 1 << 20  # at the end of a tar, at most
MAX_HEADER_BYTES = 1 << 16  # no honest header of a tar member is longer. Python searches it in quadratic time

_DAMAGE_ERRORS = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),  # unknown methods and passwords of zipfile
)
_OPENERS = {"gz": gzip.open, "xz": lzma.open, "bz2": bz2.open, "tar": open}


@dataclass(frozen=True)
class PackedMember:
    """A file in an archive: its path, the size that its header claims, and its bytes while it is the current one.

    `ahead`: bytes of this file and of all after it, as the list of contents claims. A tar has no list: its own bytes.
    A path whose encoding the archive does not say has escaped bytes (`member_names`) and is not checked yet.
    """

    path: str
    size: int
    ahead: int
    read: Callable[[int], bytes]


def stream_members(archive: Path, name: str) -> Iterator[PackedMember]:
    """The archive's files, one at a time. Raises BadData, with `name` as the archive's name."""
    return _zip_members(archive, name) if name.lower().endswith(".zip") else _tar_members(archive, name)


def _zip_members(archive: Path, name: str) -> Iterator[PackedMember]:
    with _translate_damage(name), archive.open("rb") as file:
        check_zip_directory(file, name)
    with _translate_damage(name):
        opened = zipfile.ZipFile(archive)
    with opened:
        paths = _zip_paths(opened.infolist())
        ahead = sum(info.file_size for info in opened.infolist())
        for info, written in zip(opened.infolist(), paths, strict=True):
            if written.endswith(("/", "\\")):
                continue
            if info.flag_bits & 1:
                raise BadData(f"{name}: expected an archive without a password; pack it again without one.")
            kind = stat.S_IFMT(info.external_attr >> 16)
            path = safe_member_path(name, written, kind in (0, stat.S_IFREG))
            with _translate_damage(name):
                stream = opened.open(info)
            with stream:
                yield PackedMember(path, info.file_size, ahead, _guarded_reader(name, stream))
            ahead -= info.file_size


def _zip_paths(infos: Sequence[zipfile.ZipInfo]) -> list[str]:
    """The paths as text. Without the flag for UTF-8 they are bytes of any encoding, which zipfile takes for cp437.

    Mac's archiver and others write UTF-8 without the flag: then all names are UTF-8.
    """
    unflagged = {id(info): info.orig_filename.encode("cp437") for info in infos if not info.flag_bits & ZIP_UTF8}
    try:
        known = {key: raw.decode() for key, raw in unflagged.items()}
    except UnicodeDecodeError:
        known = {key: escape_name(raw) for key, raw in unflagged.items()}
    return [known.get(id(info), info.filename) for info in infos]


def _tar_members(archive: Path, name: str) -> Iterator[PackedMember]:
    kind = {"tgz": "gz", "txz": "xz", "tbz2": "bz2"}.get(suffix := name.lower().rpartition(".")[2], suffix)
    opener = cast(Callable[..., IO[bytes]], _OPENERS[kind])
    with opener(archive, "rb") as stream:
        bounded = _BoundedHeaders(stream, name)
        with _translate_damage(name):
            opened = tarfile.open(fileobj=bounded, mode="r:")  # type: ignore[call-overload]  # noqa: SIM115
        while (info := _next_member(opened, name, bounded)) is not None:
            if not info.isdir():
                path = safe_member_path(name, info.name, info.isreg() and not info.issparse())
                yield PackedMember(path, info.size, info.size, _guarded_reader(name, opened.extractfile(info)))
            opened.members = []  # tarfile remembers every member that it has read
        # Read the padding too: only at the end of a compressed stream is its checksum compared.
        _guarded_reader(name, stream)(PADDING_BYTES)


def _next_member(opened: tarfile.TarFile, name: str, bounded: "_BoundedHeaders") -> tarfile.TarInfo | None:
    bounded.within_header = True
    with _translate_damage(name):
        info = opened.next()
    bounded.within_header = False
    return info


class _BoundedHeaders:
    """The stream of a tar. tarfile reads a header whole, so a header that claims to be huge is refused."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self.stream, self.name, self.within_header = stream, name, True
        self.tell, self.seek = stream.tell, stream.seek

    def read(self, size: int) -> bytes:
        if self.within_header and size > MAX_HEADER_BYTES + tarfile.BLOCKSIZE:
            raise BadData(
                f"{self.name}: expected headers below {MAX_HEADER_BYTES} bytes, got one of {size}; pack it again."
            )
        return self.stream.read(size)


def _guarded_reader(name: str, stream: Any) -> Callable[[int], bytes]:
    def read_guarded(size: int) -> bytes:
        with _translate_damage(name):
            return cast(bytes, stream.read(size))

    return read_guarded


def safe_member_path(name: str, written: str, is_file: bool) -> str:
    """The member's path with single slashes and composed accents, or as it is while it has escaped bytes.

    Raises BadData for a member that must not be unpacked.
    """
    if not is_file:
        raise BadData(
            f"{name}: expected files and folders, got {written!r}, a link or device; pack it again without it."
        )
    if is_undecoded(written):
        return written
    path = unicodedata.normalize("NFC", written).replace("\\", "/")
    if path.startswith("/") or re.match("[A-Za-z]:", path):
        raise BadData(f"{name}: expected paths inside the archive, got {written!r}; pack it again with relative paths.")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if fault := names.path_fault("/".join(parts)):
        raise BadData(f"{name}: expected plain paths, got {fault}: {written[:100]!r}; pack it again without it.")
    return "/".join(parts)


@contextmanager
def _translate_damage(name: str) -> Iterator[None]:
    """Translate errors of a damaged archive into BadData. Errors of the disk pass."""
    try:
        yield
    except MemoryError:  # the header of an .xz may ask for 4 GiB
        raise BadData(
            f"{name}: expected an archive that can be unpacked with the memory of this process, got one that asks for "
            "more; pack it again with a smaller dictionary, or as .zip."
        ) from None
    except _DAMAGE_ERRORS as error:
        raise _damaged_archive_error(name, error) from None
    except OSError as error:
        if error.errno in (None, errno.EINVAL):  # of bz2 and gzip; of zipfile at a place before the file's start
            raise _damaged_archive_error(name, error) from None
        raise


def _damaged_archive_error(name: str, error: Exception) -> BadData:
    reason = str(error) or type(error).__name__
    return BadData(f"{name}: expected a whole archive, got a damaged one ({reason}); pack or upload it again.")
