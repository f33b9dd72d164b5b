from pathlib import Path

import pytest

from shared.bus import GroupProgress
from shared.bus.local import LocalBus
from shared.bus.topics import TOPIC_BY_GROUP
from shared.errors import Unavailable
from shared.telemetry import Metrics
from shared.worker.backlog import BacklogMonitor


def figures(metrics: Metrics, name: str) -> dict[str, float]:
    return {s.labels["stage"]: s.value for m in metrics.registry.collect() for s in m.samples if s.name == name}


def test_waiting_and_buried_records_of_every_group(tmp_path: Path) -> None:
    bus, metrics = LocalBus(tmp_path / "bus.sqlite"), Metrics()
    for key in "abc":
        bus.publish("mer.clips", key, b"1")
    bus.publish("mer.flow.dlq", "mer.magnified/0@3", b"3")
    member = bus.subscribe("mer.clips", "interpolator")
    message = member.take_message(1)
    assert message
    member.commit(message)
    backlog = BacklogMonitor(bus, metrics)
    backlog.measure_groups()
    assert figures(metrics, "mer_waiting_records") == {
        group: 2.0 * (group == "interpolator") for group in TOPIC_BY_GROUP
    }
    assert figures(metrics, "mer_dead_letters") == {group: float(group == "flow") for group in TOPIC_BY_GROUP}
    for offset, value in ((3, None), (4, b"4"), (5, b"5")):
        bus.publish("mer.flow.dlq", f"mer.magnified/0@{offset}", value)
    backlog.measure_groups()
    assert figures(metrics, "mer_dead_letters")["flow"] == 2, "one was replayed, two are new"
    bus.close()


def test_how_long_the_first_record_of_a_partition_has_been_the_first(tmp_path: Path) -> None:
    bus, metrics, passed = LocalBus(tmp_path / "bus.sqlite"), Metrics(), [0.0]
    for _ in range(3):
        bus.publish("mer.clips", "one partition", b"1")
    backlog, member = BacklogMonitor(bus, metrics, clock=lambda: passed[0]), bus.subscribe("mer.clips", "interpolator")

    def measure_after(seconds: float) -> dict[str, float]:
        passed[0] += seconds
        backlog.measure_groups()
        return figures(metrics, "mer_oldest_record_seconds")

    assert measure_after(0) == {"interpolator": 0}
    assert measure_after(100) == {"interpolator": 100}
    message = member.take_message(1)
    assert message
    member.commit(message)
    assert measure_after(10) == {"interpolator": 0}, "another record is the first now"
    assert measure_after(5) == {"interpolator": 5}
    while message := member.take_message(0):
        member.commit(message)
    assert measure_after(1) == {}
    bus.close()


def test_figures_go_while_the_bus_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bus, metrics = LocalBus(tmp_path / "bus.sqlite"), Metrics()
    backlog = BacklogMonitor(bus, metrics)
    backlog.measure_groups()

    def away(topic: str, group: str) -> GroupProgress:
        raise Unavailable("no broker")

    monkeypatch.setattr(bus, "group_progress", away)
    backlog.measure_groups()
    backlog.measure_groups()
    assert not figures(metrics, "mer_waiting_records")
    assert not figures(metrics, "mer_dead_letters")
    bus.close()
