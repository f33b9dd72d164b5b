"""What waits for each group and what it could not process, as figures: for alerts, dashboards and whoever scales."""

import logging
import threading
from contextlib import suppress

from shared.bus import Bus, Follower
from shared.bus.topics import GROUPS, dead_letters
from shared.errors import Unavailable
from shared.telemetry import Metrics

log = logging.getLogger(__name__)


class Backlog:
    """A loop that asks the bus for every group. One process of a deployment runs it, also while stages have no worker.

    While the bus is away the figures are taken down: an old one would be read as today's.
    """

    def __init__(self, bus: Bus, metrics: Metrics, seconds: float = 15) -> None:
        self.bus, self.metrics, self.seconds = bus, metrics, seconds
        self.stopping = threading.Event()
        self._letters: dict[str, Follower] = {}

    def run(self) -> None:
        while not self.stopping.is_set():
            self.look()
            self.stopping.wait(self.seconds)
        for follower in self._letters.values():
            follower.close()

    def ready(self) -> bool:
        return True

    def stalled(self) -> bool:
        return False

    def look(self) -> None:
        """One round over all groups."""
        for group in GROUPS:
            self._look(group)

    def _look(self, group: str) -> None:
        try:
            waiting = self.bus.depth(GROUPS[group], group).lag
            letters = self._read(group)
        except Unavailable as trouble:
            log.info("no backlog of %s: %s", group, trouble)
            for gauge in (self.metrics.waiting, self.metrics.dead_letters):
                with suppress(KeyError):
                    gauge.remove(group)
            return
        self.metrics.waiting.labels(group).set(waiting)
        self.metrics.dead_letters.labels(group).set(letters)

    def _read(self, group: str) -> int:
        if group not in self._letters:
            self._letters[group] = self.bus.follow(dead_letters(group).name)
        return len(self._letters[group].read())
