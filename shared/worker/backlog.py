"""Metrics of each group's backlog and dead letters, for alerts, dashboards and autoscalers."""

import logging
import threading
from contextlib import suppress

from shared.bus import Bus, Follower
from shared.bus.topics import TOPIC_BY_GROUP, dead_letter_topic
from shared.errors import Unavailable
from shared.telemetry import Metrics

log = logging.getLogger(__name__)


class BacklogMonitor:
    """A loop that measures every group. One process of a deployment runs it, also while stages have no worker.

    While the bus does not answer, the metrics are removed: an old value would look like a present one.
    """

    def __init__(
        self, bus: Bus, metrics: Metrics, stopping: threading.Event | None = None, seconds: float = 15
    ) -> None:
        self.bus, self.metrics, self.seconds = bus, metrics, seconds
        self.stopping = stopping or threading.Event()
        self._letter_followers: dict[str, Follower] = {}

    def run(self) -> None:
        while not self.stopping.is_set():
            self.measure_groups()
            self.stopping.wait(self.seconds)
        for follower in self._letter_followers.values():
            follower.close()

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
            waiting = self.bus.group_progress(TOPIC_BY_GROUP[group], group).lag
            letters = self._count_dead_letters(group)
        except Unavailable as trouble:
            log.info("no backlog of %s: %s", group, trouble)
            for gauge in (self.metrics.waiting, self.metrics.dead_letters):
                with suppress(KeyError):
                    gauge.remove(group)
            return
        self.metrics.waiting.labels(group).set(waiting)
        self.metrics.dead_letters.labels(group).set(letters)

    def _count_dead_letters(self, group: str) -> int:
        if group not in self._letter_followers:
            self._letter_followers[group] = self.bus.follow(dead_letter_topic(group).name)
        return len(self._letter_followers[group].read_newest())
