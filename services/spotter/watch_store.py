"""Where a pass over a recording keeps what it has finished, and where it can go on."""

import io
import json
import pickle
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from shared.errors import BadData
from shared.stage import Arrays
from shared.store import LocalStore, NotStored, Store
from shared.store.npz import pack_arrays, unpack_arrays

STATE, FACES, KEY = "state.bin", "faces.json", "watch.json"
_PLAIN_CLASSES = frozenset({"builtins.set", "builtins.frozenset", "builtins.complex", "collections.deque"})
_OWN_PACKAGES = ("services.spotter.", "shared.spotting.", "shared.face_mesh.")
_NUMPY_CLASSES = frozenset({"ndarray", "dtype", "_reconstruct", "scalar", "_frombuffer"})


class Drawer(Protocol):
    """Bytes by name. `shared.store.Store` says what each call does."""

    def get(self, key: str) -> bytes: ...
    def put(self, key: str, data: bytes) -> None: ...
    def list_keys(self) -> Iterator[str]: ...
    def delete(self, key: str) -> None: ...


@dataclass(frozen=True)
class StorePart:
    """The part of a store whose keys begin with `prefix`, as a drawer."""

    store: Store
    prefix: str

    def get(self, key: str) -> bytes:
        return self.store.get(self.prefix + key)

    def put(self, key: str, data: bytes) -> None:
        self.store.put(self.prefix + key, data)

    def list_keys(self) -> Iterator[str]:
        return (key.removeprefix(self.prefix) for key in self.store.list_keys(self.prefix))

    def delete(self, key: str) -> None:
        self.store.delete(self.prefix + key)


class WatchPlace(NamedTuple):
    """A folder, and a copy of it that other machines can reach. Without a copy, another machine starts anew."""

    folder: Path
    copy: Drawer | None = None


class WatchStore:
    """Arrays of finished parts, and the state after the last of them. `key` says what they belong to.

    What `place` holds under another key is deleted. An empty folder is filled from its copy. Without a place,
    everything stays in memory.
    """

    def __init__(self, place: WatchPlace | None, key: dict[str, Any]) -> None:
        self._memory: dict[str, bytes] = {}
        self._drawers: list[Drawer] = []
        if place is None:
            return
        folder = LocalStore(place.folder)
        self._drawers = [folder, place.copy] if place.copy else [folder]
        text = json.dumps(key, sort_keys=True).encode()
        if place.copy and not folder.exists(KEY):
            with suppress(NotStored):  # another worker is done and deletes them
                for name in sorted(place.copy.list_keys(), key=KEY.__eq__):  # the key last: it says that all is there
                    folder.put(name, place.copy.get(name))
        if self._read(KEY) != text:
            for drawer in self._drawers:
                for name in list(drawer.list_keys()):
                    drawer.delete(name)
            self._write(KEY, text)

    def write_part(self, name: str, arrays: Arrays) -> None:
        """Store the arrays of a part, of any shape [...]."""
        self._write(f"{name}.npz", pack_arrays(arrays))

    def read_part(self, name: str) -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of a part, of any shape [...]. Raises BadData if it is not there."""
        data = self._read(f"{name}.npz")
        if data is None:
            raise BadData(f"{name}.npz: expected a part of the pass over a recording, got nothing; watch it again.")
        return unpack_arrays(data, name)

    def write_state(self, state: object) -> None:
        """Store where the pass can go on. The parts up to there are stored already."""
        if self._drawers:
            self._write(STATE, pickle.dumps(state, protocol=5))

    def read_state(self) -> Any:
        """What `write_state` stored, or None. A file of something else counts as nothing."""
        data = self._read(STATE)
        try:
            return None if data is None else _StateUnpickler(io.BytesIO(data)).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, TypeError, ValueError, IndexError):
            return None

    def write_faces(self, faces: Any) -> None:
        """Store the result of a finished pass, as JSON."""
        self._write(FACES, json.dumps(faces, sort_keys=True).encode())
        for drawer in self._drawers:
            drawer.delete(STATE)

    def read_faces(self) -> Any:
        """The result of a finished pass, or None. A file of something else counts as nothing."""
        data = self._read(FACES)
        try:
            return None if data is None else json.loads(data)
        except ValueError:
            return None

    def _write(self, name: str, data: bytes) -> None:
        for drawer in self._drawers:
            drawer.put(name, data)
        if not self._drawers:
            self._memory[name] = data

    def _read(self, name: str) -> bytes | None:
        if not self._drawers:
            return self._memory.get(name)
        try:
            return self._drawers[0].get(name)
        except NotStored:
            return None


class _StateUnpickler(pickle.Unpickler):
    """Reads arrays and the pass's own classes alone: a file from elsewhere cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        own = f"{module}.".startswith(_OWN_PACKAGES)
        numpys = module.split(".")[0] == "numpy" and name in _NUMPY_CLASSES
        if not (own or numpys or f"{module}.{name}" in _PLAIN_CLASSES) or "." in name:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a pass")
        found = super().find_class(module, name)
        if own and not (isinstance(found, type) and found.__module__ == module):  # not what a module imports
            raise pickle.UnpicklingError(f"{module}.{name} is no class of a pass")
        return found
