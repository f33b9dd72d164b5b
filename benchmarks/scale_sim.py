"""Simulation of 1, 10 and 100 datasets of DFME's size on a cluster: time, pod hours, and the first bottleneck.

    PYTHONPATH=. python benchmarks/scale_sim.py     # a minute; writes benchmarks/results/scale-sim.json

Every stage has the partitions of its topic and the pods for which its ScaledObject asks (`k8s.keda`). In each step of
time KEDA computes the number of pods, pods start, and each pod works on its partitions. A finished record waits for the
next stage in the same partition, since a clip keeps its key. All pods share the throughput of the store.

Costs per clip are measured on one core (`benchmarks/scale_costs.py`), the cost of the bus by `benchmarks/bus.py`.
Nothing was measured on a GPU, so the figures are those of CPU pods. All datasets are in the inbox at time 0.
"""

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import argument_parser, read_result, result_file, write_result
from k8s.generate import scaled_object
from k8s.keda import PartitionState, replica_count
from k8s.scaling import SCALED_SERVICES, ScaledService
from shared.bus.topics import TOPIC_BY_GROUP

CLIPS, SUBJECTS, EPOCHS = 7526, 671, 40  # DFME; epochs of fmer-lite
BUS_SECONDS = 0.043  # s per record
POD_MB_PER_SECOND = 100.0
START_SECONDS = 30.0  # s until a pod works, with its image on the node


@dataclass(frozen=True)
class ClusterScenario:
    datasets: int
    partitions: int = 24
    store_mb_per_second: float = 1000.0
    step_seconds: float = 15.0


@dataclass
class SimulatedStage:
    """One stage in simulated time; arrays are [partitions]."""

    scaled: ScaledService
    cpu_seconds: float
    megabytes: float  # read and written per record
    partitions: int
    waiting: NDArray[Any] = field(init=False)
    pods: int = field(init=False)
    asked: deque[int] = field(init=False)
    starting: list[float] = field(default_factory=list)  # s: the time at which each starting pod is ready
    pod_seconds: float = 0.0
    busy_seconds: float = 0.0
    done: float = 0.0
    ended: float = 0.0

    def __post_init__(self) -> None:
        self.waiting, self.pods, self.asked = np.zeros(self.partitions), self.scaled.min_pods, deque()

    @property
    def record_seconds(self) -> float:
        return self.cpu_seconds + BUS_SECONDS + self.megabytes / POD_MB_PER_SECOND

    def scale_pods(self, now: float, step: float) -> None:
        """Add as many pods as the autoscaler may at once; remove one pod a minute, after the stage's patience."""
        wanted = self._wanted_pods()
        self.asked.append(wanted)
        while len(self.asked) > self.scaled.patience_seconds / step:
            self.asked.popleft()
        have = self.pods + len(self.starting)
        if wanted > have:
            most = have + max(4, have) * max(1, round(step / 15))
            self.starting += [now + START_SECONDS] * (min(wanted, most) - have)
        elif max(self.asked) < self.pods:
            self.pods -= min(self.pods - max(self.asked), max(1, round(step / 60)))
        self.pods += sum(ready <= now for ready in self.starting)
        self.starting = [ready for ready in self.starting if ready > now]
        self.pod_seconds += (self.pods + len(self.starting)) * step

    def _wanted_pods(self) -> int:
        partitions = {p: PartitionState(int(np.ceil(count)), 0) for p, count in enumerate(self.waiting)}
        (group,) = self.scaled.groups
        asked = scaled_object(self.scaled)
        asked["spec"]["maxReplicaCount"] = self.partitions
        return replica_count(asked, {(TOPIC_BY_GROUP[group], group): partitions})

    def finishable_records(self, step: float) -> NDArray[Any]:
        """[partitions] records that the pods could finish in a step of seconds; a pod computes one record at a time."""
        if not self.pods:
            return np.zeros(self.partitions)
        holder = np.arange(self.partitions) % self.pods
        load = np.bincount(holder, self.waiting, self.pods)
        share = np.minimum(1.0, step / self.record_seconds / np.maximum(load, 1e-9))
        return self.waiting * share[holder]

    def finish_records(self, finished: NDArray[Any], now: float) -> None:
        self.waiting -= finished
        self.waiting[self.waiting < 1e-6] = 0
        self.done += float(finished.sum())
        self.busy_seconds += float(finished.sum()) * self.record_seconds
        if finished.any():
            self.ended = now


def measured_costs() -> dict[str, Any]:
    """The result of benchmarks/scale_costs.py."""
    costs = read_result("scale-costs")
    if costs is None:
        raise SystemExit("benchmarks/results/scale-costs.json is missing: run benchmarks/scale_costs.py first.")
    return costs


def measured_stages(scenario: ClusterScenario) -> list[SimulatedStage]:
    """The image stages and the trainer, as measured."""
    costs = measured_costs()
    by_name = {row["stage"]: (row["cpu s"], row["read MB"] + row["written MB"]) for row in costs["stages"]}
    by_name["trainer"] = (CLIPS * EPOCHS * costs["fmer-lite CPU s per clip and epoch"], 0.0)
    return [SimulatedStage(scaled, *by_name[scaled.service], scenario.partitions) for scaled in SCALED_SERVICES]


def simulate_cluster(scenario: ClusterScenario) -> dict[str, Any]:
    """Simulate until the last fold is trained; return the figures of the scenario."""
    rng, line, now, peak = np.random.default_rng(0), measured_stages(scenario), 0.0, 0.0
    *image, trainer = line
    chance = np.full(scenario.partitions, 1 / scenario.partitions)
    image[0].waiting += rng.multinomial(scenario.datasets * CLIPS, chance)
    released = 0
    while trainer.done < scenario.datasets * SUBJECTS - 0.5:
        now += scenario.step_seconds
        for stage in line:
            stage.scale_pods(now, scenario.step_seconds)
        could = [stage.finishable_records(scenario.step_seconds) for stage in line]
        traffic = sum(float(c.sum()) * s.megabytes for c, s in zip(could, line, strict=True))
        allowed = min(1.0, scenario.store_mb_per_second * scenario.step_seconds / max(traffic, 1e-9))
        peak = max(peak, traffic * allowed / scenario.step_seconds)
        for stage, following, c in zip(line, [*line[1:], None], could, strict=True):
            stage.finish_records(c * allowed, now)
            if following not in (trainer, None):
                following.waiting += c * allowed
        whole = int((image[-1].done + 0.5) // CLIPS)  # datasets finish one after another
        trainer.waiting += rng.multinomial((whole - released) * SUBJECTS, chance)
        released = whole
    return _summarise_simulation(scenario, line, now, peak)


def _summarise_simulation(
    scenario: ClusterScenario, stages: list[SimulatedStage], now: float, peak: float
) -> dict[str, Any]:
    terabytes = scenario.datasets * CLIPS * sum(row["written MB"] for row in measured_costs()["stages"]) / 1e6
    return {
        "datasets": scenario.datasets,
        "partitions": scenario.partitions,
        "store MB/s": scenario.store_mb_per_second,
        "features after h": round(stages[-2].ended / 3600, 2),
        "reports after h": round(now / 3600, 1),
        "store TB": round(terabytes, 2),
        "store peak MB/s": round(peak),
        "pod hours": {stage.scaled.service: round(stage.pod_seconds / 3600, 1) for stage in stages},
        "busy": {stage.scaled.service: round(stage.busy_seconds / stage.pod_seconds, 2) for stage in stages},
        "slowest image stage": max(stages[:-1], key=lambda stage: stage.record_seconds).scaled.service,
    }


SCENARIOS = [
    *(ClusterScenario(datasets) for datasets in (1, 10)),
    ClusterScenario(1, store_mb_per_second=100),
    ClusterScenario(1, partitions=240),
    ClusterScenario(10, partitions=240, step_seconds=30),
    ClusterScenario(100, step_seconds=300),
    ClusterScenario(100, partitions=240, step_seconds=60),
    ClusterScenario(100, partitions=240, store_mb_per_second=5000, step_seconds=60),
]


def main() -> None:
    options = argument_parser(__doc__, result_file("scale-sim")).parse_args()
    results = [simulate_cluster(scenario) for scenario in SCENARIOS]
    write_result(options.out, results)
    for result in results:
        print(json.dumps(result))


if __name__ == "__main__":
    main()
