"""The loop that starts training when a dropped dataset has come through the image stages.

Every trainer's process has one. What it does follows from what lies on the bus alone and has the same effect done
twice: two of them start a run under one id with the same contents.
"""

import logging
import threading
from collections.abc import Iterable, Mapping

from services.trainer import runs
from services.trainer.choice import chosen
from services.trainer.followed import IMAGE_STAGES, buried, by_clip, records
from services.trainer.standing import Standing, standing
from services.trainer.telemetry import STATES, TrainMetrics
from shared.bus import Bus
from shared.errors import Misconfigured, MissingWeights
from shared.patience import is_trouble
from shared.records import Dataset, Record, RunResult
from shared.store import Store
from shared.telemetry import Metrics
from shared.topics import topic

log = logging.getLogger(__name__)

NAME = "conductor"


class Conductor:
    """A `shared.service.Loop`. `look` starts the run of every dataset that is ready, was the same at the look before
    (corrected labels come clip by clip, and are one run) and has no result yet."""

    def __init__(
        self, bus: Bus, store: Store, metrics: Metrics, trained: TrainMetrics, device: str, poll_seconds: float
    ) -> None:
        self.bus, self.store, self.metrics, self.trained = bus, store, metrics, trained
        self.device, self.poll_seconds = device, poll_seconds
        self.stopping = threading.Event()
        self._well = False
        self._datasets = records(bus, topic("datasets").name, Dataset)
        self._features = records(bus, topic("features").name, Record)
        self._results = records(bus, topic("results").name, RunResult, lambda key: "/" not in key)
        self._letters = [buried(bus, store, stage) for stage in IMAGE_STAGES]
        followed = (self._datasets, self._features, self._results)
        self._followers = [*(kept.follower for kept in followed), *(kept.follower for kept in self._letters)]
        self._seen: dict[str, tuple[Dataset, Standing]] = {}
        self._settled: dict[str, tuple[Dataset, Standing]] = {}
        self._started: set[str] = set()

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.metrics.heartbeat.labels(NAME).set_to_current_time()
                self._well = self._looked()
                self.stopping.wait(self.poll_seconds)
        finally:
            for follower in self._followers:
                follower.close()

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
        features, results, datasets = self._features.read(), self._results.read(), self._datasets.read()
        letters = {place: said for kept in self._letters for place, said in by_clip(kept.read()).items()}
        self._show_figures(results.values())
        self._forget(self._seen.keys() - datasets.keys())
        for key, dataset in datasets.items():
            now = standing(dataset, features, letters)
            self._show_clips(dataset, now)
            state, before = (dataset, now), self._seen.get(key)
            self._seen[key] = state
            if now.ready and state == before and state != self._settled.get(key):
                self._start(dataset, now, results)
                self._settled[key] = state

    def _start(self, dataset: Dataset, now: Standing, results: Mapping[str, RunResult]) -> None:
        """Contents first, then the run: who hears of it can open it."""
        try:
            choice = chosen(dataset.pipeline.profile, dataset.train, self.device)
        except Misconfigured as reason:
            refused = runs.refused(dataset, str(reason))
            if refused.run not in results:
                self.bus.publish(topic("results").name, refused.key, refused.encode())
            return
        run, contents = runs.compose([(dataset, now)], choice)
        if run.id in results or run.id in self._started:
            return
        if not self.store.exists(run.contents):
            self.store.put(run.contents, contents.encode())
        self.bus.publish(topic("runs").name, run.key, run.encode())
        self._started.add(run.id)
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
