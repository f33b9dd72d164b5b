"""Metrics of each group's backlog and dead letters, for alerts, dashboards and autoscalers."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from shared.bus import Bus
from shared.bus.present_keys import PresentKeys
from shared.bus.topics import TOPIC_BY_GROUP, TOPICS, dead_letter_topic
from shared.errors import Unavailable
from shared.telemetry import Metrics

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Head:
    """The first unfinished record of a partition, and since when it is the first, s of the monitor's clock."""

    offset: int
    since: float


def topic_partitions(group: str) -> int:
    """Partitions of the topic that a group reads."""
    return TOPICS[TOPIC_BY_GROUP[group]].partitions


class BacklogMonitor:
    """A loop that measures every group. One process of a deployment runs it, also while stages have no worker.

    While the bus does not answer, the metrics are removed: an old value would look like a present one.
    """

    def __init__(
        self,
        bus: Bus,
        metrics: Metrics,
        stopping: threading.Event | None = None,
        seconds: float = 15,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bus, self.metrics, self.seconds, self.clock = bus, metrics, seconds, clock
        self.stopping = stopping or threading.Event()
        self._letters: dict[str, PresentKeys] = {}
        self._heads: dict[tuple[str, int], Head] = {}  # by group and partition

    def run(self) -> None:
        while not self.stopping.is_set():
            self.measure_groups()
            self.stopping.wait(self.seconds)
        for letters in self._letters.values():
            letters.close()

    def is_ready(self) -> bool:
        return True

    def is_stalled(self) -> bool:
        return False

    def measure_groups(self) -> None:
        """Measure all groups once."""
        for group in TOPIC_BY_GROUP:
            self._measure_group(group)

    def _measure_group(self, group: str) -> None:
        try:
            progress = self.bus.group_progress(TOPIC_BY_GROUP[group], group)
            letters = self._count_dead_letters(group)
        except Unavailable as trouble:
            log.info("no backlog of %s: %s", group, trouble)
            for gauge in (self.metrics.waiting, self.metrics.dead_letters):
                with suppress(KeyError):
                    gauge.remove(group)
            self._show_heads(group, {})
            return
        self.metrics.waiting.labels(group).set(progress.lag)
        self._note_heads(group, progress.heads)
        self.metrics.dead_letters.labels(group).set(letters)

    def _note_heads(self, group: str, offsets: Mapping[int, int]) -> None:
        """Note since when each partition's first record is the first, and show it. No clock but this process's counts.

        A backlog that moves is young by this measure, however long it is. One record that no worker can finish is old.
        """
        now, known = self.clock(), {key: head for key, head in self._heads.items() if key[0] == group}
        heads = {(group, partition): Head(offset, now) for partition, offset in offsets.items()}
        for key, head in heads.items():
            if key in known and known[key].offset == head.offset:
                heads[key] = known[key]
        self._heads = {key: head for key, head in self._heads.items() if key[0] != group} | heads
        self._show_heads(group, {partition: now - head.since for (_, partition), head in heads.items()})

    def _show_heads(self, group: str, seconds: Mapping[int, float]) -> None:
        for partition in range(topic_partitions(group)):
            if partition in seconds:
                self.metrics.oldest.labels(group, str(partition)).set(seconds[partition])
            else:
                with suppress(KeyError):
                    self.metrics.oldest.remove(group, str(partition))

    def _count_dead_letters(self, group: str) -> int:
        if group not in self._letters:
            self._letters[group] = PresentKeys(self.bus.follow(dead_letter_topic(group).name))
        return len(self._letters[group].read_keys())
