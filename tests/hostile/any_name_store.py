"""A bucket that takes any name, as S3 does, in a folder."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from shared.settings import Settings
from shared.store import LocalStore, ObjectInfo


class AnyNameStore:
    """Objects under any key of up to 1,024 bytes, each in a file that is named by the digest of its key."""

    def __init__(self, folder: Path) -> None:
        self.files = LocalStore(folder)
        self.keys: dict[str, str] = {}  # by name of the file

    def put(self, key: str, data: bytes) -> None:
        name = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
        self.keys[name] = key
        self.files.put(name, data)

    def get(self, key: str) -> bytes:
        return self.files.get(self._name_file(key))

    def fetch_file(self, key: str, file: Path) -> None:
        self.files.fetch_file(self._name_file(key), file)

    def put_file(self, key: str, file: Path) -> None:
        self.put(key, file.read_bytes())

    def exists(self, key: str) -> bool:
        return self.files.exists(self._name_file(key))

    def delete(self, key: str) -> None:
        self.files.delete(self._name_file(key))

    def list_keys(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(entry.key for entry in self.list_objects(prefix)))

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        found = (replace(entry, key=self.keys[entry.key]) for entry in self.files.list_objects())
        return (entry for entry in found if entry.key.startswith(prefix))

    def list_top(self) -> tuple[list[str], list[ObjectInfo]]:
        entries = list(self.list_objects())
        folders = {entry.key.partition("/")[0] for entry in entries if "/" in entry.key}
        return sorted(folders), [entry for entry in entries if "/" not in entry.key]

    def _name_file(self, key: str) -> str:
        return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def open_any_names(folder: Path, settings: Settings) -> AnyNameStore:
    """The bucket in this folder, whatever the settings name."""
    return AnyNameStore(folder)
