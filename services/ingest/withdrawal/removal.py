"""The removal of what a scope covers, from store and bus. It may be repeated or killed at any time."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from services.ingest.inbox import ledger as ledgers
from services.ingest.inbox.refused_contents import delete_refusals
from services.ingest.withdrawal.reports import withdraw_from_report
from shared.bus import Bus
from shared.bus.dead_letters import read_outstanding_letters
from shared.bus.topics import (
    DATASETS,
    FEATURES,
    FOLDS,
    IMAGE_STAGES,
    PREDICTIONS,
    RECOGNITIONS,
    RESULTS,
    RUNS,
    SPOTTED,
    TOPIC_BY_GROUP,
    VIDEOS,
    dead_letter_topic,
)
from shared.dataset_notices import announce_dataset, read_datasets, withdraw_dataset
from shared.errors import BadData
from shared.records import Dataset, FoldResult, Run, quote_segment, result_type
from shared.store import Store
from shared.topic_views import read_records
from shared.training.fold_course import course_prefix
from shared.video_records import SPOTTER_STAGE, RecognitionContents, RecognitionRequest
from shared.withdrawal.scope import WithdrawalScope, list_clip_files, write_mark

FOLDS_PREFIX = "folds/"
GROUP_BY_TOPIC = {topic: group for group, topic in TOPIC_BY_GROUP.items()}
# Topics without state: messages about clips and folds that their group has processed are of no use to anybody.
PASSING_TOPICS = (*(TOPIC_BY_GROUP[group] for group in IMAGE_STAGES), FOLDS.name)
STATE_TOPICS = (FEATURES.name, VIDEOS.name, SPOTTED.name, PREDICTIONS.name)


@dataclass
class Removal:
    """Removes what `scope` covers. `counts` says how much of what was removed.

    `reports` are stores with reports of embedded runs, each with its run.json beside them.
    """

    bus: Bus
    store: Store
    scope: WithdrawalScope
    uploads: Store | None
    reports: tuple[Store, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)
    shared_clips: int = 0  # that stay, since another dataset has them

    def remove_uploads(self, keys: list[str]) -> None:
        """First of all: what is uploaded would come back otherwise."""
        for key in keys:
            cast(Store, self.uploads).delete(key)
            self.counts["uploaded files"] += 1

    def remove_rest(self) -> None:
        """Everything that was made from the uploads. The mark comes first, so that a repetition finds the same."""
        write_mark(self.store, self.scope)
        self._withdraw_datasets()
        self._remove_ledger()
        self._remove_letters()
        self._withdraw_reports()
        for folds in (self.store, *self.reports):
            self._remove_folds(folds)
        self._remove_requests()
        for topic in STATE_TOPICS:
            self.counts["records"] += self.bus.erase_messages(topic, self.scope.covers)
        for topic in PASSING_TOPICS:
            self.counts["records"] += self.bus.erase_messages(topic, self.scope.covers, GROUP_BY_TOPIC[topic])
        for key in self.list_artifacts():
            self.store.delete(key)
            self.counts["artifacts"] += 1

    def list_artifacts(self) -> Iterator[str]:
        """Keys of artifacts and manifests of every stage, and of what was predicted of a video."""
        yield from list_clip_files(self.store, self.scope)
        if self.scope.video:
            for stage in (SPOTTER_STAGE, "predictions"):
                yield from self.store.list_keys(f"{stage}/{quote_segment(self.scope.name)}/")
            for key in self.store.list_keys("recognitions/"):
                if RecognitionContents.decode(self.store.get(key)).spotted.video.name == self.scope.name:
                    yield key

    def waiting_messages(self) -> int:
        """Messages in work or waiting: one of them may be about what was removed, and write it again."""
        return sum(self.bus.group_progress(TOPIC_BY_GROUP[group], group).lag for group in IMAGE_STAGES)

    def _withdraw_datasets(self) -> None:
        for dataset in read_datasets(self.bus, self.store).values():
            if dataset.name != self.scope.name or self.scope.video:
                continue
            kept = {identity: version for identity, version in dataset.clips.items() if not self.scope.covers(identity)}
            if self.scope.subject is None:
                withdraw_dataset(self.bus, self.store, dataset)
            elif len(kept) < len(dataset.clips):
                announce_dataset(self.bus, self.store, self._without_person(dataset, kept), dataset)
            self.shared_clips += sum(identity in self.scope.needed for identity in dataset.clips)
            self.counts["clips"] += len(dataset.clips) - (len(kept) if self.scope.subject else 0)

        if self.scope.subject is None and not self.scope.video:
            self.bus.erase_messages(DATASETS.name, lambda key: key.partition("@")[0] == quote_segment(self.scope.name))

    def _without_person(self, dataset: Dataset, kept: dict[str, str]) -> Dataset:
        faults = tuple(fault for fault in dataset.faults if not fault.startswith(f"{self.scope.subject}/"))
        return dataset.model_copy(update={"clips": kept, "faults": faults})

    def _remove_ledger(self) -> None:
        if not self.scope.video:
            delete_refusals(self.store, self.scope.name)
        if self.scope.video or self.scope.name not in ledgers.recorded_datasets(self.store):
            return
        if self.scope.subject is None:
            ledgers.delete_ledger(self.store, self.scope.name)
            return
        ledger = ledgers.load_ledger(self.store, self.scope.name)
        kept = {identity: clip for identity, clip in ledger.clips.items() if not self.scope.covers(identity)}
        ledgers.save_ledger(self.store, self.scope.name, ledger.model_copy(update={"clips": kept}))

    def _remove_letters(self) -> None:
        for group in TOPIC_BY_GROUP:
            letters = read_outstanding_letters(self.bus, self.store, group)
            origins = {letter.origin: letter for letter in letters if self.scope.covers(letter.key)}
            for letter in origins.values():
                if "stored" in letter.headers:
                    self.store.delete(letter.headers["stored"])
            self.counts["dead letters"] += self.bus.erase_messages(dead_letter_topic(group).name, origins.__contains__)

    def _remove_requests(self) -> None:
        """The requests to recognise the events of a video."""
        if self.scope.video:
            requests = read_records(self.bus, RECOGNITIONS.name, lambda key: RecognitionRequest)
            keys = {request.key for request in requests if request.video.name == self.scope.name}
            self.counts["records"] += self.bus.erase_messages(RECOGNITIONS.name, keys.__contains__)

    def _withdraw_reports(self) -> None:
        folds: dict[str, list[str]] = {}
        for result in read_records(self.bus, RESULTS.name, result_type):
            if isinstance(result, FoldResult):
                folds.setdefault(result.run, []).append(result.outcome.removesuffix(".json") + ".safetensors")
        for run in read_records(self.bus, RUNS.name, lambda key: Run):
            weights = sorted(folds.get(run.id, ()))
            outcome = withdraw_from_report(self.store, run.report_prefix, run.contents_key, weights, self.scope)
            self._count_report(outcome)
            if outcome == "removed":
                self._erase_run(run.id)
        for reports in self.reports:
            for key in [key for key in reports.list_keys() if key.rpartition("/")[2] == "run.json"]:
                prefix = key.removesuffix("run.json")
                self._count_report(
                    withdraw_from_report(
                        reports, prefix, key, ["those of the other folds, beside the report"], self.scope
                    )
                )

    def _erase_run(self, run: str) -> None:
        for topic in (RUNS, RESULTS):
            self.bus.erase_messages(topic.name, lambda key: key.partition("/")[0] == run)
        for key in list(self.store.list_keys(course_prefix(run))):
            self.store.delete(key)

    def _count_report(self, outcome: str) -> None:
        if outcome:
            self.counts[f"reports {outcome}"] += 1

    def _remove_folds(self, folds: Store) -> None:
        """Outcomes and weights of folds that tested withdrawn clips: they hold predictions about them."""
        for key in list(folds.list_keys()) if folds in self.reports else list(folds.list_keys(FOLDS_PREFIX)):
            if not key.endswith(".json") or f"/{FOLDS_PREFIX}" not in f"/{key}":
                continue
            try:
                names = json.loads(folds.get(key)).get("names", ())
            except (BadData, ValueError):
                continue
            if any(self.scope.covers("/".join(map(quote_segment, name.split("/", 2)))) for name in names):
                folds.delete(key.removesuffix(".json") + ".safetensors")
                folds.delete(key)
                self.counts["folds"] += 1
