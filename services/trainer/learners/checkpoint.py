"""A fold's training as it stood after an epoch, kept beside its outcome-to-be: killed, it goes on there."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from services.trainer.learners.base import EpochSummary, TrainingState
from shared.store import NotStored, Store

SAVE_INTERVAL_SECONDS = 60.0  # seconds between two; a kill costs no more than these and the epoch that runs
NUMBERS_ARRAY = "numbers"  # the array that holds, as JSON, what no array is


def checkpoint_key(fold_name: str) -> str:
    """Of the fold of this name."""
    return f"folds/{fold_name}.checkpoint.safetensors"


class StoredCheckpoint:
    """A `learner.Keeper`. One put holds everything, so that there is a whole state or the one before it."""

    def __init__(
        self,
        store: Store,
        fold_name: str,
        every: float = SAVE_INTERVAL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self.key, self.every, self.clock = store, checkpoint_key(fold_name), every, clock
        self._last = clock()

    def load_state(self) -> TrainingState | None:
        """None also for what can't be read: the training begins anew."""
        try:
            return decode_state(self.store.get(self.key))
        except (NotStored, SafetensorError, ValueError, TypeError, KeyError):
            return None

    def save_if_due(self, capture: Callable[[], TrainingState]) -> None:
        if self.clock() - self._last < self.every:
            return
        self.store.put(self.key, encode_state(capture()))
        self._last = self.clock()

    def delete(self) -> None:
        """The outcome is stored: nobody goes on from here."""
        self.store.delete(self.key)


def encode_state(state: TrainingState) -> bytes:
    """safetensors; floats in JSON come back as they were."""
    numbers = json.dumps({"numbers": state.numbers, "epochs": [asdict(epoch) for epoch in state.epochs]})
    return safetensors.numpy.save({**state.arrays, NUMBERS_ARRAY: np.frombuffer(numbers.encode(), np.uint8)})


def decode_state(data: bytes) -> TrainingState:
    arrays = safetensors.numpy.load(data)
    said = json.loads(arrays.pop(NUMBERS_ARRAY).tobytes())
    epochs = [EpochSummary(**{**epoch, "watched": tuple(epoch["watched"])}) for epoch in said["epochs"]]
    return TrainingState(arrays, said["numbers"], epochs)
