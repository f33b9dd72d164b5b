"""An inbox stops before any of its effects, another one goes on with the dataset, and then the first one goes on."""

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from shared.bus.topics import FEATURES
from shared.errors import Unavailable
from shared.records import Dataset
from tests.unit.ingest.inbox.lab import Calls, Dead, Lab, frames, sheet

FRAMES = {**frames("a"), **frames("b")}
FIRST = {"clips.csv": sheet({"a": "others", "b": "others"})}
SECOND = {"clips.csv": sheet({"a": "fear", "b": "others"})}
SETTLED_SCANS = 3
WITHDRAWAL = ("publish", FEATURES.name)
EFFECTS = ("put", "put_file", "delete", "publish")


class Interrupted(Calls):
    """Calls the other inbox before one effect. After a later withdrawal of features it dies, so it repairs nothing."""

    def __init__(self, point: int, go_on: Callable[[], None]) -> None:
        super().__init__()
        self.point, self.go_on = point, go_on
        self.stopped_at: tuple[Any, ...] = ()
        self._dies = False

    def begin(self, name: str, args: tuple[Any, ...]) -> None:
        super().begin(name, args)
        self._dies = self.stopped_at not in ((), WITHDRAWAL) and (name, *args[:1]) == WITHDRAWAL
        if name in EFFECTS and len([made for made, _ in self.made if made in EFFECTS]) == self.point:
            self.stopped_at = name, *args[:1]
            self.go_on()

    def end(self) -> None:
        if self._dies:
            raise Dead
        super().end()


class Stages:
    """The image stages: features for each record that was published, once."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.done = lab, 0

    def work(self) -> None:
        records = self.lab.sources()
        for record in records[self.done :]:
            changes = {"stage": "roi-au", "inputs": {"source": record.artifact}}
            self.lab.bus.publish(FEATURES.name, record.key, record.model_copy(update=changes).encode())
        self.done = len(records)

    def live_keys(self) -> set[str]:
        return set(self.lab.bus.read_newest(FEATURES.name))


def list_labels(dataset: Dataset) -> dict[str, str]:
    """The digest of each clip's labels."""
    return {identity: version.partition(".")[2] for identity, version in dataset.clips.items()}


def remove_dataset(lab: Lab) -> None:
    for key in list(lab.inbox.list_keys("d/")):
        lab.inbox.delete(key)


def relabel(lab: Lab) -> None:
    lab.drop("d", SECOND)


def stop_and_go_on(folder: Path, point: int, change: Callable[[Lab], None]) -> tuple[Any, ...]:
    """The effect before which the first inbox stopped; () if there are fewer. What was changed is undone meanwhile."""
    with closing(Lab(folder)) as first, closing(Lab(folder, scratch=folder / "other")) as second:
        stages = Stages(first)
        first.drop("d", {**FRAMES, **FIRST})
        first.scan()
        second.scan()
        stages.work()
        labels = list_labels(first.only())
        change(first)

        def go_on() -> None:
            second.drop("d", {**FRAMES, **FIRST})
            second.scan()
            stages.work()

        calls = first.calls = Interrupted(point, go_on)
        first.restart()
        calls.made.clear()
        for inbox in (first, second) * SETTLED_SCANS:
            with suppress(Unavailable, Dead):
                inbox.scan()
            stages.work()
        if calls.stopped_at:
            announced = first.only()
            assert announced.complete
            assert set(announced.clip_keys.values()) <= stages.live_keys(), calls.stopped_at
            assert list_labels(announced) == labels
        return calls.stopped_at


def stop_everywhere(folder: Path, change: Callable[[Lab], None]) -> list[tuple[Any, ...]]:
    stops: list[tuple[Any, ...]] = []
    while not stops or stops[-1]:
        stops.append(stop_and_go_on(folder / str(len(stops)), len(stops) + 1, change))
    return stops


def test_an_inbox_that_stopped_withdraws_nothing_that_its_successor_needs(tmp_path: Path) -> None:
    stops = stop_everywhere(tmp_path, relabel)
    assert WITHDRAWAL in stops


def test_nor_if_it_saw_the_dataset_removed(tmp_path: Path) -> None:
    stops = stop_everywhere(tmp_path, remove_dataset)
    assert WITHDRAWAL in stops
