"""Steps on a GPU as CUDA graphs: one launch instead of hundreds.

Python takes longer to start the kernels of a small network than the GPU takes to run them. A graph holds the kernels of
one step together with the addresses of their tensors, and starts all of them at once.
"""

import logging
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Protocol

import torch
from torch import Tensor

from services.trainer.learners.batch_source import TrainingDevice

Results = tuple[Tensor, ...]
Step = Callable[..., Results]  # a function of tensors that returns tensors
EAGER_CALLS = 2  # before a recording: they make the optimiser's state, load kernels and set up libraries

logger = logging.getLogger(__name__)


class StepRecorder(Protocol):
    """Runs and records steps. A recording calls the step once, to see its kernels, and runs none of them."""

    def run(self, step: Callable[[], Results]) -> Results: ...

    def record(self, step: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
        """(replay, results). Each call of `replay` runs the kernels and writes the results in place."""
        ...


class RecordedStep:
    """A step that is recorded once for inputs of equal shapes, and replayed from then on.

    `step` looks at no value and waits for nothing on the device. What it changes besides its results it changes in
    place. It draws from the default generator alone: a replay draws what the step would have drawn.
    """

    def __init__(self, step: Step, recorder: StepRecorder) -> None:
        self.step, self.recorder, self.records = step, recorder, True
        self._calls: Counter[object] = Counter()
        self._recordings: dict[object, tuple[Results, Callable[[], None], Results]] = {}

    def __call__(self, *inputs: Tensor) -> Results:
        """What `step` returns for the inputs. Later calls do not change the results of earlier ones."""
        shapes = tuple(value.shape for value in inputs)
        self._calls[shapes] += 1
        if self.records and shapes not in self._recordings and self._calls[shapes] > EAGER_CALLS:
            self._record(shapes, inputs)
        if shapes not in self._recordings:
            return self.recorder.run(lambda: self.step(*inputs))
        held, replay, results = self._recordings[shapes]
        for own, given in zip(held, inputs, strict=True):
            own.copy_(given)
        replay()
        return tuple(result.clone() for result in results)

    def _record(self, shapes: object, inputs: Results) -> None:
        """A recording that fails has run nothing, so steps go on one by one with the same figures."""
        held = tuple(value.clone() for value in inputs)
        try:
            self._recordings[shapes] = (held, *self.recorder.record(lambda: self.step(*held)))
        except RuntimeError as error:
            logger.warning("A step could not be recorded as a CUDA graph, so steps take longer: %s", error)
            self.records = False


class GraphRecorder:
    """Records steps as CUDA graphs of one device. The graphs share their memory, as they run one after another."""

    def __init__(self, device: str) -> None:
        self.stream = recording_stream(device)
        self.pool = torch.cuda.graph_pool_handle()

    def run(self, step: Callable[[], Results]) -> Results:
        """Run the step on the stream of recordings: libraries set up memory for a stream when they first see it."""
        current = torch.cuda.current_stream(self.stream.device)
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            results = step()
        current.wait_stream(self.stream)
        return results

    def record(self, step: Callable[[], Results]) -> tuple[Callable[[], None], Results]:
        """Raises RuntimeError if the step does what a graph can not hold."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.stream(self.stream), torch.cuda.graph(graph, self.pool, self.stream):
                results = step()
        except RuntimeError:
            generator = torch.cuda.default_generators[self.stream.device_index]
            generator.graphsafe_set_state(generator.clone_state())  # the old state would wait for the recording's end
            raise
        return graph.replay, results


@cache
def recording_stream(device: str) -> torch.cuda.Stream:
    """One stream per device, as libraries hold memory for each that they have seen."""
    return torch.cuda.Stream(torch.device(device))


def record_on_gpu(step: Step, device: TrainingDevice) -> Step:
    """The step itself on a CPU, and recorded on a GPU."""
    return RecordedStep(step, GraphRecorder(device.name)) if device.is_gpu else step
