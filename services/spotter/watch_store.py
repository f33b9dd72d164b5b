"""Where a pass over a recording keeps what it has finished, in a folder or in memory, and where it can go on."""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from shared.errors import BadData
from shared.stage import Arrays
from shared.store.npz import pack_arrays, unpack_arrays

STATE, FACES, KEY = "state.bin", "faces.json", "watch.json"
_PLAIN_CLASSES = frozenset({"builtins.set", "builtins.frozenset", "builtins.complex", "collections.deque"})
_OWN_PACKAGES = ("services.spotter.", "shared.spotting.", "shared.face_mesh.")
_NUMPY_CLASSES = frozenset({"ndarray", "dtype", "_reconstruct", "scalar", "_frombuffer"})


class WatchStore:
    """Arrays of finished parts, and the state after the last of them. `key` says what they belong to.

    With a folder, what it holds under another key is deleted. Without one, everything stays in memory.
    """

    def __init__(self, folder: Path | None, key: dict[str, Any]) -> None:
        self._folder = folder
        self._memory: dict[str, bytes] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            text = json.dumps(key, sort_keys=True).encode()
            if self._read(KEY) != text:
                for file in folder.glob("face*-segment*-part*.npz"):
                    file.unlink()
                for name in (STATE, FACES):
                    (folder / name).unlink(missing_ok=True)
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
        if self._folder is not None:
            self._write(STATE, pickle.dumps(state, protocol=5))

    def read_state(self) -> Any:
        """What `write_state` stored, or None. A file of something else counts as nothing."""
        data = self._read(STATE) if self._folder is not None else None
        if data is None:
            return None
        try:
            return _StateUnpickler(io.BytesIO(data)).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, ImportError, TypeError, ValueError, IndexError):
            return None

    def write_faces(self, faces: Any) -> None:
        """Store the result of a finished pass, as JSON."""
        self._write(FACES, json.dumps(faces, sort_keys=True).encode())
        if self._folder is not None:
            (self._folder / STATE).unlink(missing_ok=True)

    def read_faces(self) -> Any:
        """The result of a finished pass, or None."""
        data = self._read(FACES)
        return None if data is None else json.loads(data)

    def _write(self, name: str, data: bytes) -> None:
        if self._folder is None:
            self._memory[name] = data
            return
        draft = self._folder / f"{name}.draft"
        draft.write_bytes(data)
        draft.replace(self._folder / name)  # whole or not at all

    def _read(self, name: str) -> bytes | None:
        if self._folder is None:
            return self._memory.get(name)
        file = self._folder / name
        return file.read_bytes() if file.exists() else None


class _StateUnpickler(pickle.Unpickler):
    """Reads arrays and the pass's own classes alone: a file from elsewhere cannot run code."""

    def find_class(self, module: str, name: str) -> Any:
        own = f"{module}.".startswith(_OWN_PACKAGES)
        numpys = module.split(".")[0] == "numpy" and name in _NUMPY_CLASSES
        if not (own or numpys or f"{module}.{name}" in _PLAIN_CLASSES) or "." in name:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a pass")
        found = super().find_class(module, name)
        if own and not isinstance(found, type):
            raise pickle.UnpicklingError(f"{module}.{name} is no class")
        return found
