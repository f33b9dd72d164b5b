"""A fold's training as it stood after an epoch, kept beside its outcome-to-be: killed, it goes on there."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from services.trainer.learners.base import Epoch, State
from shared.store import NotStored, Store

EVERY = 60.0  # seconds between two; a kill costs no more than these and the epoch that runs
NUMBERS = "numbers"  # the array that holds, as JSON, what no array is


def key(name: str) -> str:
    """Of the fold of this name."""
    return f"folds/{name}.checkpoint.safetensors"


class Checkpoint:
    """A `learner.Keeper`. One put holds everything, so that there is a whole state or the one before it."""

    def __init__(
        self, store: Store, name: str, every: float = EVERY, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.store, self.key, self.every, self.clock = store, key(name), every, clock
        self._last = clock()

    def load(self) -> State | None:
        """None also for what can't be read: the training begins anew."""
        try:
            return unpack(self.store.get(self.key))
        except (NotStored, SafetensorError, ValueError, TypeError, KeyError):
            return None

    def offer(self, state: Callable[[], State]) -> None:
        if self.clock() - self._last < self.every:
            return
        self.store.put(self.key, pack(state()))
        self._last = self.clock()

    def delete(self) -> None:
        """The outcome is stored: nobody goes on from here."""
        self.store.delete(self.key)


def pack(state: State) -> bytes:
    """safetensors; floats in JSON come back as they were."""
    numbers = json.dumps({"numbers": state.numbers, "epochs": [asdict(epoch) for epoch in state.epochs]})
    return safetensors.numpy.save({**state.arrays, NUMBERS: np.frombuffer(numbers.encode(), np.uint8)})


def unpack(data: bytes) -> State:
    arrays = safetensors.numpy.load(data)
    said = json.loads(arrays.pop(NUMBERS).tobytes())
    epochs = [Epoch(**{**epoch, "watched": tuple(epoch["watched"])}) for epoch in said["epochs"]]
    return State(arrays, said["numbers"], epochs)
