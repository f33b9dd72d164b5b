"""The state of a fold's training after an epoch, stored beside the outcome: a killed training resumes from it."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from services.trainer.learners.base import TrainingState, epoch_from_json
from shared.store import NotStored, Store

SAVE_INTERVAL_SECONDS = 60.0  # between two saves; a kill costs at most this time and the running epoch
NUMBERS_ARRAY = "numbers"  # the array that holds the JSON values


def checkpoint_key(fold_key: str) -> str:
    """Store key of the checkpoint of a fold."""
    return f"folds/{fold_key}.checkpoint.safetensors"


class StoredCheckpoint:
    """A `TrainingCheckpoint` in a store. One put writes everything, so a state is complete or not there.

    `interval_seconds`: shortest time between two saves. `clock`: returns seconds.
    """

    def __init__(
        self,
        store: Store,
        fold_key: str,
        interval_seconds: float = SAVE_INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self.key, self.interval_seconds, self.clock = (
            store,
            checkpoint_key(fold_key),
            interval_seconds,
            clock,
        )
        self._last = clock()

    def load_state(self) -> TrainingState | None:
        """The stored state. None if there is none or it can not be read: training then starts from the beginning."""
        try:
            return decode_state(self.store.get(self.key))
        except (NotStored, SafetensorError, ValueError, TypeError, KeyError):
            return None

    def save_if_due(self, capture: Callable[[], TrainingState]) -> None:
        if self.clock() - self._last < self.interval_seconds:
            return
        self.store.put(self.key, encode_state(capture()))
        self._last = self.clock()

    def delete(self) -> None:
        """Call this once the outcome is stored."""
        self.store.delete(self.key)


def encode_state(state: TrainingState) -> bytes:
    """The state as safetensors. Its JSON values come back exactly, floats too."""
    text = json.dumps({"numbers": state.numbers, "epochs": [asdict(epoch) for epoch in state.epochs]})
    return safetensors.numpy.save({**state.arrays, NUMBERS_ARRAY: np.frombuffer(text.encode(), np.uint8)})


def decode_state(data: bytes) -> TrainingState:
    """The inverse of `encode_state`. Raises SafetensorError, ValueError, TypeError or KeyError for other bytes."""
    arrays = safetensors.numpy.load(data)
    stored = json.loads(arrays.pop(NUMBERS_ARRAY).tobytes())
    return TrainingState(arrays, stored["numbers"], [epoch_from_json(epoch) for epoch in stored["epochs"]])
