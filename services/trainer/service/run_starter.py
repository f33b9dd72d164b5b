"""The loop that starts training when a dropped dataset has come through the image stages.

Every trainer's process has one. What it does follows from what lies on the bus alone and has the same effect done
twice: two of them start a run under one id with the same contents.
"""

import logging
import threading
from collections.abc import Iterable

from services.trainer.options import chosen
from services.trainer.runs import definition
from services.trainer.runs.state import Known, State
from services.trainer.service.metrics import STATES, TrainMetrics
from shared.bus.topics import topic
from shared.dataset_progress import Standing
from shared.errors import Misconfigured, MissingWeights
from shared.records import Dataset, RunResult
from shared.telemetry import Metrics
from shared.worker.retry import is_trouble

log = logging.getLogger(__name__)

NAME = "conductor"


class Conductor:
    """A `shared.worker.process.Loop`. `look` starts the run of every dataset that is ready, was the same at the look
    before (corrected labels come clip by clip, and are one run) and has no result yet."""

    def __init__(self, state: State, metrics: Metrics, trained: TrainMetrics, device: str, poll_seconds: float) -> None:
        self.state, self.metrics, self.trained = state, metrics, trained
        self.device, self.poll_seconds = device, poll_seconds
        self.stopping = threading.Event()
        self._well = False
        self._seen: dict[str, tuple[Dataset, Standing]] = {}
        self._settled: dict[str, tuple[Dataset, Standing]] = {}

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.metrics.heartbeat.labels(NAME).set_to_current_time()
                self._well = self._looked()
                self.stopping.wait(self.poll_seconds)
        finally:
            self.state.close()

    def ready(self) -> bool:
        """Whether its last look went well."""
        return self._well

    def stalled(self) -> bool:
        return False

    def _looked(self) -> bool:
        """Trouble is waited out; a surprise is logged in full and must not stop the folds that train beside."""
        try:
            self.look()
        except (Misconfigured, MissingWeights):
            raise
        except Exception as error:
            log.warning("looking for datasets failed: %r", error, exc_info=None if is_trouble(error) else error)
            self.metrics.retries.labels(NAME).inc()
            return False
        return True

    def look(self) -> None:
        """Read what is new, start what is ready, show how far the rest is."""
        known = self.state.read()
        self._show_figures(known.results.values())
        self._forget(self._seen.keys() - known.datasets.keys())
        for key, dataset in known.datasets.items():
            now = known.standing(dataset)
            self._show_clips(dataset, now)
            state, before = (dataset, now), self._seen.get(key)
            self._seen[key] = state
            if now.ready and state == before and state != self._settled.get(key):
                self._start(dataset, now, known)
                self._settled[key] = state

    def _start(self, dataset: Dataset, now: Standing, known: Known) -> None:
        try:
            choice = chosen(dataset.pipeline.profile, dataset.train, self.device)
        except Misconfigured as reason:
            refused = definition.refused(dataset, str(reason))
            if refused.run not in known.results:
                self.state.bus.publish(topic("results").name, refused.key, refused.encode())
            return
        run, contents = definition.compose([(dataset, now)], choice, self.device)
        if run.id in known.results or run.id in known.runs:
            return
        self.state.start(run, contents)
        about = {"stage": NAME, "key": run.id, "dataset": run.dataset, "clips": len(contents.features)}
        log.info("run started", extra={"mer": about})

    def _forget(self, gone: Iterable[str]) -> None:
        for key in list(gone):
            dataset, _ = self._seen.pop(key)
            self._settled.pop(key, None)
            for state in STATES:
                self.trained.clips.remove(dataset.name, dataset.pipeline.digest, state)

    def _show_clips(self, dataset: Dataset, now: Standing) -> None:
        counts = (len(dataset.clips), len(now.features), now.buried, now.waiting)
        for state, count in zip(STATES, counts, strict=True):
            self.trained.clips.labels(dataset.name, dataset.pipeline.digest, state).set(count)

    def _show_figures(self, results: Iterable[RunResult]) -> None:
        for result in results:
            for model, figures in result.figures.items():
                for name, value in figures.model_dump().items():
                    if value is not None:
                        self.trained.figures[name].labels(result.dataset, result.pipeline, model).set(value)
