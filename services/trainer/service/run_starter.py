"""The loop that starts training when a dropped dataset has come through the image stages.

Every trainer's process has one. What it does follows from what lies on the bus alone and has the same effect done
twice: two of them start a run under one id with the same contents.
"""

import logging
import threading
from collections.abc import Iterable

from services.trainer.options import resolve_options
from services.trainer.runs import definition
from services.trainer.runs.state import PipelineSnapshot, PipelineState
from services.trainer.service.metrics import CLIP_STATES, TrainingMetrics
from shared.bus.topics import RESULTS
from shared.dataset_progress import DatasetProgress
from shared.errors import Misconfigured, MissingWeights
from shared.records import Dataset, RunResult
from shared.telemetry import Metrics
from shared.worker.retry import is_transient

log = logging.getLogger(__name__)

STARTER_NAME = "conductor"


class RunStarter:
    """A `shared.worker.process.Loop`. `look` starts the run of every dataset that is ready, was the same at the look
    before (corrected labels come clip by clip, and are one run) and has no result yet."""

    def __init__(
        self,
        state: PipelineState,
        metrics: Metrics,
        train_metrics: TrainingMetrics,
        device: str,
        poll_seconds: float,
        stopping: threading.Event,
    ) -> None:
        self.state, self.metrics, self.train_metrics = state, metrics, train_metrics
        self.device, self.poll_seconds = device, poll_seconds
        self.stopping = stopping
        self._last_poll_succeeded = False
        self._seen: dict[str, tuple[Dataset, DatasetProgress]] = {}
        self._settled: dict[str, tuple[Dataset, DatasetProgress]] = {}

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.metrics.heartbeat.labels(STARTER_NAME).set_to_current_time()
                self._last_poll_succeeded = self._poll_safely()
                self.stopping.wait(self.poll_seconds)
        finally:
            self.state.close()

    def is_ready(self) -> bool:
        """Whether its last look went well."""
        return self._last_poll_succeeded

    def is_stalled(self) -> bool:
        return False

    def _poll_safely(self) -> bool:
        """Trouble is waited out; a surprise is logged in full and must not stop the folds that train beside."""
        try:
            self.poll_datasets()
        except (Misconfigured, MissingWeights):
            raise
        except Exception as error:
            log.warning("looking for datasets failed: %r", error, exc_info=None if is_transient(error) else error)
            self.metrics.retries.labels(STARTER_NAME).inc()
            return False
        return True

    def poll_datasets(self) -> None:
        """Read what is new, start what is ready, show how far the rest is."""
        known = self.state.read_snapshot()
        self._show_figures(known.results.values())
        self._forget_datasets(self._seen.keys() - known.datasets.keys())
        for key, dataset in known.datasets.items():
            now = known.progress_of(dataset)
            self._show_clips(dataset, now)
            state, before = (dataset, now), self._seen.get(key)
            self._seen[key] = state
            if now.is_ready and state == before and state != self._settled.get(key):
                self._start_run(dataset, now, known)
                self._settled[key] = state

    def _start_run(self, dataset: Dataset, progress: DatasetProgress, snapshot: PipelineSnapshot) -> None:
        try:
            choice = resolve_options(dataset.pipeline.profile, dataset.train, self.device)
        except Misconfigured as reason:
            refused = definition.rejected_result(dataset, str(reason))
            if refused.run not in snapshot.results:
                self.state.bus.publish(RESULTS.name, refused.key, refused.encode())
            return
        run, contents = definition.compose_run([(dataset, progress)], choice, self.device)
        if run.id in snapshot.results or run.id in snapshot.runs:
            return
        self.state.publish_run(run, contents)
        about = {"stage": STARTER_NAME, "key": run.id, "dataset": run.dataset, "clips": len(contents.features)}
        log.info("run started", extra={"mer": about})

    def _forget_datasets(self, gone: Iterable[str]) -> None:
        for key in list(gone):
            dataset, _ = self._seen.pop(key)
            self._settled.pop(key, None)
            for state in CLIP_STATES:
                self.train_metrics.clips.remove(dataset.name, dataset.pipeline.digest, state)

    def _show_clips(self, dataset: Dataset, progress: DatasetProgress) -> None:
        counts = (progress.clip_count, len(progress.features), len(progress.left_out), progress.pending_count)
        for state, count in zip(CLIP_STATES, counts, strict=True):
            self.train_metrics.clips.labels(dataset.name, dataset.pipeline.digest, state).set(count)

    def _show_figures(self, results: Iterable[RunResult]) -> None:
        for result in results:
            for model, figures in result.figures.items():
                for name, value in figures.model_dump().items():
                    if value is not None:
                        self.train_metrics.figures[name].labels(result.dataset, result.pipeline, model).set(value)
