"""A run of one's own as a recogniser: the networks of its folds, averaged.

A fold's network must not judge a person that trained it. If the person is named, only networks that never saw the
person are asked, where there are any.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.features import Features, FeatureSubset, select_clips
from services.trainer.folds.fold import fold_key
from services.trainer.folds.store import load_learner, load_outcome, weights_key
from services.trainer.learners.base import Learner
from services.trainer.learners.registry import ARRAYS_BY_LEARNER, require_arrays, units_of_learner
from services.trainer.recogniser.geometry import MapGeometry
from services.trainer.recogniser.recognition import RecognisedExpression, most_probable
from services.trainer.report.model import Report
from shared.errors import BadData
from shared.finished_runs import find_finished_run
from shared.protocols import find_same_people
from shared.records import Pipeline
from shared.run_contents import RunContents
from shared.stage import Arrays
from shared.store import LocalStore, Store
from shared.training.annotations import PAPER_UNITS, AnnotatedClip, order_units, subject_id, units_of_clips
from shared.training.clip_selection import select_by_protocol
from shared.training.definition import options_of_run
from shared.training.options import TrainingOptions
from shared.training.protocol import protocol_folds

RUN_FILE, REPORT_FILE = "run.json", "report.json"
MOST_NETWORKS = 24  # that are asked of one event; of more, these are taken evenly


@dataclass(frozen=True)
class FoldNetwork:
    """One trained network: its key in the store, and the people whose clips trained it."""

    key: str
    seed: int
    people: frozenset[str]


@dataclass(frozen=True)
class RunNetworks:
    """The networks of a run's model, and what they predict."""

    store: Store
    options: TrainingOptions
    classes: tuple[str, ...]
    units: tuple[int, ...]
    networks: tuple[FoldNetwork, ...]
    clips: int
    datasets: tuple[str, ...]
    pipeline: Pipeline | None  # None for a table of features

    @property
    def people(self) -> frozenset[str]:
        return frozenset[str]().union(*(network.people for network in self.networks))


class RunRecogniser:
    """The mean of the probabilities of a run's networks."""

    def __init__(self, origin: str, run: RunNetworks) -> None:
        self.run, self.name = run, f"{run.options.settings.model} of {origin}"
        self.digest = hashlib.sha256("".join(network.key for network in run.networks).encode()).hexdigest()
        self.trained_on = f"{run.clips} clips of {len(run.people)} people of {', '.join(run.datasets)}"
        self.pipeline = run.pipeline
        self.needs = ARRAYS_BY_LEARNER[run.options.settings.model][0]
        self._learners: dict[str, Learner] = {}

    def recognise(self, maps: NDArray[np.float32], *, subject: str | None = None) -> RecognisedExpression:
        """What maps float32 [F,3,28,28] show. Raises BadData if the run's model needs other arrays.

        Without an array `factors` the last map is taken: its factor is the largest.
        """
        return self.recognise_features(
            {"maps": np.asarray(maps[-1:], np.float32), "factors": np.ones(1)}, subject=subject
        )

    def recognise_features(
        self, arrays: Arrays, *, subject: str | None = None, geometry: MapGeometry = "aligned"
    ) -> RecognisedExpression:
        """What roi-au's artifact of one event shows: maps [F,3,28,28], patches and others, and `factors` [F].

        subject: the person, as `dataset/subject` or `subject`, if the run may have clips of the person. geometry plays
        no part: a run reads maps like those that trained it. Raises BadData for a missing array.
        """
        require_arrays([name for name in arrays if name != "factors"], self.run.options.settings.model, "the event")
        chosen, warnings = self._choose_networks(subject)
        subset = FeatureSubset(self._features_of_event(arrays), np.array([0]))
        found = [self._load_learner(network).predict(subset) for network in chosen]
        emotions = np.mean([each.emotions[0] for each in found], 0)
        aus = [each.aus[0] for each in found if each.aus is not None]
        by_name = dict(zip(self.run.classes, map(float, emotions), strict=True))
        units = units_of_learner(self.run.options.settings.model, self.run.units)
        shown = dict(zip(map(str, units), map(float, np.mean(aus, 0)), strict=True)) if aus else {}
        return RecognisedExpression(most_probable(by_name), by_name, action_units=shown, warnings=warnings)

    def _choose_networks(self, subject: str | None) -> tuple[list[FoldNetwork], tuple[str, ...]]:
        """The networks to ask, and why their answer may be too good."""
        everyone = list(self.run.networks)
        if subject is None:
            remark = (
                f"The model was trained on {len(self.run.people)} people. If the person of the video is one of them, "
                "the result is too good: name the person with --subject."
            )
            return take_evenly(everyone), (remark,)
        known = find_person(subject, self.run.people)
        strangers = [network for network in everyone if not known & network.people]
        if strangers:
            return take_evenly(strangers), ()
        remark = (
            f"{subject} trained every network of {self.name} (as {', '.join(sorted(known))}): the result is too good."
        )
        return take_evenly(everyone), (remark,)

    def _load_learner(self, network: FoldNetwork) -> Learner:
        if network.key not in self._learners:
            settings = self.run.options.settings.model_copy(update={"seed": network.seed})
            self._learners[network.key] = load_learner(
                self.run.store, network.key, len(self.run.classes), settings, self.run.units
            )
        return self._learners[network.key]

    def _features_of_event(self, arrays: Arrays) -> Features:
        return Features(
            arrays={name: np.asarray(array)[None] for name, array in arrays.items() if name in self._known_arrays},
            factors=np.asarray(arrays.get("factors", np.ones(1)), np.float64),
            emotions=np.zeros(1, np.int64),
            aus=np.zeros((1, len(self.run.units)), np.uint8),
            au_coded=np.zeros(1, bool),
            subjects=np.array(["event/1"]),
            names=np.array(["event/1/1"]),
            classes=self.run.classes,
            units=self.run.units,
            target_units=self.run.units,
        )

    @cached_property
    def _known_arrays(self) -> set[str]:
        return {name for choice in ARRAYS_BY_LEARNER[self.run.options.settings.model] for name in choice}


def load_run(folder: Path) -> RunRecogniser:
    """The recogniser of a run: its folder, or that of its report.

    Raises BadData if there is no run with a report, or if networks of its model are missing.
    """
    home = next((place for place in (folder / "report", folder) if (place / RUN_FILE).exists()), None)
    if home is None or not (home / REPORT_FILE).exists():
        raise BadData(
            f"{folder}: expected `shipped` or a folder of a run, with {RUN_FILE} and {REPORT_FILE}, got none. "
            "`mer run` or `mer train` makes one."
        )
    contents = RunContents.decode((home / RUN_FILE).read_bytes())
    report = Report.decode((home / REPORT_FILE).read_bytes(), str(home / REPORT_FILE))
    return RunRecogniser(str(folder), _find_networks(LocalStore(home), str(home), contents, report.data.digest))


def load_stored_run(store: Store, run: str) -> RunRecogniser:
    """The recogniser of the run of a stack with this id.

    Raises BadData if the store has no such run that is finished, or if networks of its model are missing.
    """
    found, origin = find_finished_run(store, run), f"run {run}"
    report = Report.decode(store.get(found.report_key), found.report_key)
    return RunRecogniser(origin, _find_networks(store, origin, found.contents, report.data.digest))


def _find_networks(store: Store, origin: str, contents: RunContents, features_digest: str) -> RunNetworks:
    """The networks whose keys follow from the run's clips, settings and protocol."""
    options = options_of_run(contents, f"{origin}: {RUN_FILE}")
    samples: list[AnnotatedClip] = [*(record.sample for record in contents.features), *contents.table]
    found = select_by_protocol(samples, options.protocol, options.classes)
    rows, classes = select_clips(found.clips, found.classes, found.other_emotions)
    kept = [found.clips[row] for row in rows]
    people = np.array([subject_id(clip) for clip in kept])
    splits = protocol_folds(options.protocol, people, [classes.index(str(clip.emotion)) for clip in kept])
    networks = [
        FoldNetwork(
            fold_key(features_digest, options.settings.model_copy(update={"seed": seed}), split),
            seed,
            frozenset(people[split.train].tolist()),
        )
        for seed in range(options.settings.seed, options.settings.seed + options.seeds)
        for split in splits
    ]
    stored = tuple(each for each in networks if load_outcome(store, each.key) and store.exists(weights_key(each.key)))
    if len(stored) < len(networks):
        raise BadData(
            f"{origin}: expected the weights of {len(networks)} networks below folds/, got {len(stored)}. Train the "
            "run again: `mer rerun`."
        )
    units = order_units(found.units or units_of_clips(kept) or PAPER_UNITS)
    datasets = tuple(sorted({clip.dataset for clip in kept}))
    pipeline = contents.features[0].pipeline if contents.features else None
    return RunNetworks(store, options, classes, units, stored, len(kept), datasets, pipeline)


def find_person(subject: str, people: frozenset[str]) -> set[str]:
    """The names among `dataset/subject` that may be this person, `dataset/subject` or `subject` in any spelling."""
    dataset, _, person = subject.rpartition("/")
    found = set()
    for name in people:
        own, _, other = name.partition("/")
        same = {(own, other), (dataset or own, person)}
        if len(same) == 1 or find_same_people(same):
            found.add(name)
    return found


def take_evenly(networks: list[FoldNetwork]) -> list[FoldNetwork]:
    """At most MOST_NETWORKS of the networks."""
    if len(networks) <= MOST_NETWORKS:
        return networks
    return [networks[row] for row in np.linspace(0, len(networks) - 1, MOST_NETWORKS).round().astype(int)]
