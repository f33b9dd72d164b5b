"""`Store`: bytes under keys. `LocalStore` keeps them in a folder; any S3 server will do the same with the same keys."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Protocol

from shared.errors import BadData, Misconfigured

PIECE = 1 << 20  # bytes of a file in memory at a time
LONGEST_NAME_BYTES = 245  # bytes of one name; 255 on common file systems, less what a put in progress adds


class NotStored(BadData):
    """Nothing is stored under the key that a record names."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Nothing is stored under {key!r}; it was deleted or never written. Delete its manifest, the .json beside "
            "it, if there is one, and ingest the clip again."
        )


@dataclass(frozen=True)
class ObjectInfo:
    """What lies under a key."""

    key: str
    size: int  # bytes
    etag: str  # changes when the content does; no digest of ours
    modified: datetime


class ObjectReader(Protocol):
    """Bytes under keys, to read only."""

    def get(self, key: str) -> bytes:
        """Raises NotStored."""

    def fetch_file(self, key: str, file: Path) -> None:
        """`get` into a file, never whole in memory."""


class Store(ObjectReader, Protocol):
    """Bytes under slash-separated keys. A put is atomic: a reader sees all of it or nothing."""

    def put(self, key: str, data: bytes) -> None:
        """Durable when it returns; replaces what was there."""

    def put_file(self, key: str, file: Path) -> None:
        """`put` of a file of any size, never whole in memory."""

    def exists(self, key: str) -> bool: ...

    def list_keys(self, prefix: str = "") -> Iterator[str]:
        """Every key that starts with `prefix`, sorted."""

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """The same with what a scan of a place that people write to needs to know."""

    def delete(self, key: str) -> None:
        """Deleting what is not there is no error."""


def check_key(key: str) -> None:
    """Raises Misconfigured for what would be no single place below the root."""
    if not all(part.strip(".") for part in key.split("/")):
        raise Misconfigured(f"{key!r} is no key: expected names separated by single slashes, not '.' or '..'.")


class LocalStore:
    """A folder; a key is a path below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, data: bytes) -> None:
        with self._open_replacement(key) as stream:
            stream.write(data)

    def put_file(self, key: str, file: Path) -> None:
        with file.open("rb") as source, self._open_replacement(key) as stream:
            shutil.copyfileobj(source, stream, PIECE)

    def fetch_file(self, key: str, file: Path) -> None:
        try:
            source = self._path_of(key).open("rb")
        except FileNotFoundError:
            raise NotStored(key) from None
        with source, file.open("wb") as stream:
            shutil.copyfileobj(source, stream, PIECE)

    def get(self, key: str) -> bytes:
        try:
            return self._path_of(key).read_bytes()
        except FileNotFoundError:
            raise NotStored(key) from None

    def exists(self, key: str) -> bool:
        return self._path_of(key).is_file()

    def list_keys(self, prefix: str = "") -> Iterator[str]:
        return (entry.key for entry in self.list_objects(prefix))

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        found = (file for file in self.folder.rglob("*") if file.is_file() and not file.name.startswith(".put-"))
        listed = (self._object_info(file) for file in found)
        return iter(sorted((entry for entry in listed if entry.key.startswith(prefix)), key=lambda entry: entry.key))

    def _object_info(self, file: Path) -> ObjectInfo:
        about = file.stat()
        modified = datetime.fromtimestamp(about.st_mtime, UTC)
        key = file.relative_to(self.folder).as_posix()
        return ObjectInfo(key, about.st_size, f"{about.st_mtime_ns:x}-{about.st_ino:x}", modified)

    def delete(self, key: str) -> None:
        self._path_of(key).unlink(missing_ok=True)

    @contextmanager
    def _open_replacement(self, key: str) -> Iterator[IO[bytes]]:
        """Written aside and renamed: killed at any instant, the key has the old bytes, the new ones or none."""
        file = self._path_of(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        aside = file.with_name(f".put-{uuid.uuid4().hex}")
        try:
            with aside.open("xb") as stream:  # with the rights that the user's files have: reports are to be read
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            aside.replace(file)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise

    def _path_of(self, key: str) -> Path:
        check_key(key)
        if long := next((name for name in key.split("/") if len(name.encode()) > LONGEST_NAME_BYTES), None):
            raise BadData(f"{long!r} has over {LONGEST_NAME_BYTES} bytes, too many for a file; shorten the names.")
        return self.folder.joinpath(*key.split("/"))
