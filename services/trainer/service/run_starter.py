"""The loop that starts a run when all clips of an uploaded dataset have features.

Every process that plans has one. Its actions depend only on the bus, and a repeated action has no further effect. So
two loops start the same run under the same id.
"""

import logging
import threading
from collections.abc import Iterable, Sequence

from services.trainer.service.metrics import CLIP_STATES, TrainingMetrics
from services.trainer.service.polling_loop import PollingLoop
from shared.bus.topics import RESULTS
from shared.dataset_progress import DatasetProgress, are_stages_idle
from shared.errors import Misconfigured
from shared.pipeline_state import PipelineSnapshot, PipelineState
from shared.records import Dataset, RunResult
from shared.telemetry import Metrics
from shared.training import definition
from shared.training.options import resolve_options

log = logging.getLogger(__name__)

STARTER_NAME = "conductor"


class RunStarter(PollingLoop):
    """A poll starts the run of every dataset that is ready and has no result. One that was deleted stays deleted.

    A dataset names the labels of each clip. So corrected labels are one run, however far apart their records arrive.
    """

    def __init__(
        self,
        state: PipelineState,
        metrics: Metrics,
        train_metrics: TrainingMetrics,
        device: str,
        poll_seconds: float,
        stopping: threading.Event,
    ) -> None:
        super().__init__(STARTER_NAME, metrics, poll_seconds, stopping)
        self.state, self.train_metrics, self.device = state, train_metrics, device
        self._seen: dict[str, tuple[Dataset, DatasetProgress]] = {}
        self._lost: dict[str, tuple[str, ...]] = {}
        self._settled: dict[str, tuple[Dataset, DatasetProgress]] = {}

    def close(self) -> None:
        self.state.close()

    def poll_topics(self) -> None:
        """Read the state, start the runs of ready datasets, and set the gauges."""
        waiting = any(progress.pending for _, progress in self._seen.values())
        idle = waiting and are_stages_idle(self.state.bus)
        snapshot = self.state.read_snapshot()
        self._show_figures(snapshot.results.values())
        self._forget_datasets(self._seen.keys() - snapshot.datasets.keys())
        for key, dataset in snapshot.datasets.items():
            progress = snapshot.progress_of(dataset)
            present, previous = (dataset, progress), self._seen.get(key)
            lost = progress.lost_sentences() if idle and previous and previous[0] == dataset else ()
            self._show_clips(dataset, progress, lost)
            if lost and lost != self._lost.get(key):
                log.warning("%d clips of %s are lost, such as %s", len(lost), dataset.name, lost[0])
            self._seen[key], self._lost[key] = present, lost
            if progress.is_ready and present != self._settled.get(key):
                self._start_run(dataset, progress, snapshot)
                self._settled[key] = present

    def _start_run(self, dataset: Dataset, progress: DatasetProgress, snapshot: PipelineSnapshot) -> None:
        try:
            options = resolve_options(dataset.pipeline.profile, dataset.train, self.device)
        except Misconfigured as reason:
            rejected = definition.rejected_result(dataset, str(reason))
            if rejected.run not in snapshot.results and not self.state.was_stopped(rejected.run):
                self.state.bus.publish(RESULTS.name, rejected.key, rejected.encode())
            return
        run, contents = definition.compose_run([(dataset, progress)], options, self.device)
        if run.id in snapshot.results or run.id in snapshot.runs or self.state.was_stopped(run.id):
            return
        self.state.publish_run(run, contents)
        fields = {"stage": STARTER_NAME, "key": run.id, "dataset": run.dataset, "clips": len(contents.features)}
        log.info("run started", extra={"mer": fields})

    def _forget_datasets(self, gone: Iterable[str]) -> None:
        for key in list(gone):
            dataset, _ = self._seen.pop(key)
            self._settled.pop(key, None)
            self._lost.pop(key, None)
            for state in CLIP_STATES:
                self.train_metrics.clips.remove(dataset.name, dataset.pipeline.digest, state)

    def _show_clips(self, dataset: Dataset, progress: DatasetProgress, lost: Sequence[str]) -> None:
        pending = progress.pending_count
        counts = (progress.clip_count, len(progress.features), len(progress.left_out), pending, len(lost))
        for state, count in zip(CLIP_STATES, counts, strict=True):
            self.train_metrics.clips.labels(dataset.name, dataset.pipeline.digest, state).set(count)

    def _show_figures(self, results: Iterable[RunResult]) -> None:
        for result in results:
            for model, figures in result.figures.items():
                for name, value in figures.model_dump().items():
                    if value is not None:
                        self.train_metrics.figures[name].labels(result.dataset, result.pipeline, model).set(value)
