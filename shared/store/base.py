"""`Store`: bytes under keys. `LocalStore` keeps them in a folder, `shared.store.s3` on an S3 server."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

from shared.errors import BadData, Misconfigured
from shared.store.parts import PartedPut, PartInfo, check_parts

PIECE = 1 << 20  # bytes of a file in memory at a time
_PUT_IN_PROGRESS = ".put-"  # begins the name of a file that is not whole yet
_WHOLE = "whole"  # the file of all parts
LONGEST_NAME_BYTES = 245  # 255 on common file systems, less the suffix of a put in progress


class NotStored(BadData):
    """Nothing is stored under the key that a record names."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Nothing is stored under {key!r}: it was deleted or never written. Delete its manifest (the .json beside "
            "it) if there is one, then ingest the clip again."
        )


@dataclass(frozen=True)
class ObjectInfo:
    """Facts about the object under a key."""

    key: str
    size: int  # bytes
    etag: str  # changes when the content changes. It is the server's, not a digest of ours
    modified: datetime


class ObjectReader(Protocol):
    """Bytes under keys, to read only."""

    def get(self, key: str) -> bytes:
        """The bytes under a key. Raises NotStored."""

    def fetch_file(self, key: str, file: Path) -> None:
        """Write the bytes under a key to a file, never whole in memory. Raises NotStored."""


class Store(ObjectReader, Protocol):
    """Bytes under keys with slashes. A put is atomic: a reader sees all bytes or none."""

    def put(self, key: str, data: bytes) -> None:
        """Store bytes, in place of earlier ones. Returns when they are durable."""

    def put_file(self, key: str, file: Path) -> None:
        """Store the bytes of a file of any size, never whole in memory."""

    def begin_put(self, key: str, part_bytes: int) -> PartedPut:
        """Begin an object that arrives in parts. Nothing is under the key before `finish_put`."""

    def put_part(self, put: PartedPut, number: int, part: IO[bytes]) -> None:
        """Store a part. It may be sent again with the same bytes. Raises NotStored if the put has ended."""

    def list_parts(self, put: PartedPut) -> list[PartInfo]:
        """The parts that are durable, by number. Raises NotStored if the put has ended."""

    def finish_put(self, put: PartedPut) -> None:
        """Make the object of all its parts at once. Raises BadData if a part is missing, NotStored as `put_part`."""

    def abandon_put(self, put: PartedPut) -> None:
        """Delete the parts, if there are any."""

    def exists(self, key: str) -> bool: ...

    def list_keys(self, prefix: str = "") -> Iterator[str]:
        """Every key that starts with `prefix`, sorted."""

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The same keys with size, etag and time of each object, in any order. They are never all in memory."""

    def list_top(self) -> tuple[list[str], list[ObjectInfo]]:
        """The first part of every key that has several, and the objects beside them. Costs nothing for those below."""

    def delete(self, key: str) -> None:
        """Delete the bytes under a key, if there are any."""


def check_key(key: str) -> None:
    """Raise Misconfigured for a key that is no path below the root of a store."""
    if "\0" in key or not all(part.strip(".") for part in key.split("/")):
        raise Misconfigured(
            f"{key!r} is no key: expected names separated by single slashes, none of them '.' or '..', and no NUL."
        )


class LocalStore:
    """A store in a folder. A key is a path below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, data: bytes) -> None:
        with self._open_replacement(key) as stream:
            stream.write(data)

    def put_file(self, key: str, file: Path) -> None:
        with file.open("rb") as source, self._open_replacement(key) as stream:
            shutil.copyfileobj(source, stream, PIECE)

    def begin_put(self, key: str, part_bytes: int) -> PartedPut:
        self._path_of(key)
        put = PartedPut(key, uuid.uuid4().hex, part_bytes)
        self._parts_folder(put).mkdir()
        return put

    def put_part(self, put: PartedPut, number: int, part: IO[bytes]) -> None:
        """Parts lie in one file where they belong, so that the end is a rename. An empty file marks what is durable."""
        folder = self._find_parts(put)
        descriptor = os.open(folder / _WHOLE, os.O_WRONLY | os.O_CREAT, 0o666)
        with os.fdopen(descriptor, "wb") as stream:
            stream.seek((number - 1) * put.part_bytes)
            shutil.copyfileobj(part, stream, PIECE)
            stream.flush()
            os.fsync(stream.fileno())
        (folder / f"{number}-{part.tell()}").touch()

    def list_parts(self, put: PartedPut) -> list[PartInfo]:
        marks = [mark for mark in self._find_parts(put).iterdir() if mark.name != _WHOLE]
        return sorted(map(_part_info, marks), key=lambda part: part.number)

    def finish_put(self, put: PartedPut) -> None:
        check_parts(put, self.list_parts(put))
        file = self._path_of(put.key)
        file.parent.mkdir(parents=True, exist_ok=True)
        (self._parts_folder(put) / _WHOLE).replace(file)
        self.abandon_put(put)

    def abandon_put(self, put: PartedPut) -> None:
        shutil.rmtree(self._parts_folder(put), ignore_errors=True)

    def _parts_folder(self, put: PartedPut) -> Path:
        return self.folder / f"{_PUT_IN_PROGRESS}{put.id}"

    def _find_parts(self, put: PartedPut) -> Path:
        folder = self._parts_folder(put)
        if not folder.is_dir():
            raise NotStored(put.key)
        return folder

    def fetch_file(self, key: str, file: Path) -> None:
        with self._open_stored(key) as source, file.open("wb") as stream:
            shutil.copyfileobj(source, stream, PIECE)

    def get(self, key: str) -> bytes:
        with self._open_stored(key) as source:
            return source.read()

    def exists(self, key: str) -> bool:
        try:
            return self._path_of(key).is_file()
        except (ValueError, BadData, Misconfigured):
            return False

    def list_keys(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(entry.key for entry in self.list_objects(prefix)))

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        folder = prefix[: prefix.rfind("/") + 1]
        try:
            if folder:
                self._path_of(folder[:-1])  # no key begins with what is no path below the root
        except (BadData, Misconfigured):
            return iter(())
        return (entry for entry in self._walk_folder(folder) if entry.key.startswith(prefix))

    def list_top(self) -> tuple[list[str], list[ObjectInfo]]:
        folders, files = _list_folder(self.folder)
        return [item.name for item in folders], [_object_info(item, item.name) for item in files]

    def _open_stored(self, key: str) -> IO[bytes]:
        """The file of a key, to read. A record may name any key: under one that is no path, nothing is stored."""
        try:
            return self._path_of(key).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError, BadData, Misconfigured):
            raise NotStored(key) from None

    def _walk_folder(self, folder: str) -> Iterator[ObjectInfo]:
        """Every object below a folder, given as the beginning of keys: '' or a path that ends with a slash."""
        folders, files = _list_folder(self.folder / folder)
        for file in files:
            with suppress(FileNotFoundError):  # it was deleted meanwhile
                yield _object_info(file, folder + file.name)
        for inner in folders:
            yield from self._walk_folder(f"{folder}{inner.name}/")

    def delete(self, key: str) -> None:
        if self.exists(key):
            self._path_of(key).unlink(missing_ok=True)

    @contextmanager
    def _open_replacement(self, key: str) -> Iterator[IO[bytes]]:
        """Write beside the target, then rename: at any instant the key has all old bytes, all new ones or none."""
        file = self._path_of(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_name(f"{_PUT_IN_PROGRESS}{uuid.uuid4().hex}")
        try:
            with partial.open("xb") as stream:  # not tempfile, whose files other users cannot read
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            partial.replace(file)
        except BaseException as error:
            partial.unlink(missing_ok=True)
            if isinstance(error, OSError):
                error.filename = str(file)  # a full disk is found out by a write, which names no file
            raise

    def _path_of(self, key: str) -> Path:
        check_key(key)
        if long := next((name for name in key.split("/") if len(name.encode()) > LONGEST_NAME_BYTES), None):
            raise BadData(f"{long!r} has over {LONGEST_NAME_BYTES} bytes, too many for a file. Shorten the names.")
        return self.folder.joinpath(*key.split("/"))


def _list_folder(folder: Path) -> tuple[list[os.DirEntry[str]], list[os.DirEntry[str]]]:
    """The folders and the files in a folder. Neither of one that is not there."""
    try:
        with os.scandir(folder) as listing:
            found = [item for item in listing if not item.name.startswith(_PUT_IN_PROGRESS)]
    except (FileNotFoundError, NotADirectoryError):
        return [], []
    folders = [item for item in found if item.is_dir(follow_symlinks=False)]
    return folders, [item for item in found if item.is_file()]


def _part_info(mark: Path) -> PartInfo:
    number, _, size = mark.name.partition("-")
    facts = mark.stat()
    return PartInfo(int(number), int(size), f"{facts.st_mtime_ns:x}", datetime.fromtimestamp(facts.st_mtime, UTC))


def _object_info(file: os.DirEntry[str], key: str) -> ObjectInfo:
    facts = file.stat()
    modified = datetime.fromtimestamp(facts.st_mtime, UTC)
    return ObjectInfo(key, facts.st_size, f"{facts.st_mtime_ns:x}-{facts.st_ino:x}", modified)
