"""Toy features: nine action units, each a direction of motion at its own points, and emotions as sums of units."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from services.trainer.data import features
from services.trainer.data.features import Features
from shared.records import ActionUnit, Sample
from shared.stage import Arrays
from shared.training.annotations import PAPER_UNITS
from tests.unit.trainer.recogniser.drawn_runs import train_run, write_drawn_table

if TYPE_CHECKING:
    from tests.unit.trainer.lab import Lab, Life, Trainer

torch.set_num_threads(1)

PROTOTYPES = {"disgust": (4, 10), "happiness": (12,), "surprise": (1, 2, 25)}
FACTORS = np.array([1.2, 2.0, 3.0])


def moved(units: tuple[int, ...], rng: np.random.Generator, noise: float = 0.1) -> Arrays:
    """Arrays of one clip. Unit k moves ROIs 3k to 3k+2 in seven flow fields, and half back in two.

    In the maps it changes v or strain of three whole rows, which a mirror image keeps.
    """
    course = np.array([1, 1, 1, 1, 1, 1, 1, -1.5, -1.5])[:, None, None, None]
    base = rng.normal(0, noise, (9, 2, 30, 7, 7))
    clip = np.full((16, 144, 144, 3), 128, np.uint8)
    shift = rng.normal(0, noise, (3, 28, 28))
    for unit in set(units) & set(PAPER_UNITS):
        k = PAPER_UNITS.index(unit)
        base[:, k % 2, 3 * k : 3 * k + 3] += course * 0.4
        shift[1 + k % 2, 3 * k : 3 * k + 3] += 7 * 0.4
        clip[8:, 10 * k : 10 * k + 10] += 20
    patches = (FACTORS[:, None, None, None, None, None] * base).astype(np.float32)
    maps = (FACTORS[:, None, None, None] * shift).astype(np.float32)
    return {"patches": patches, "clip": clip, "maps": maps, "factors": FACTORS}


def sample(subject: int, clip: int, emotion: str | None, units: tuple[int, ...] = ()) -> Sample:
    aus = tuple(ActionUnit(number=unit) for unit in units)
    identity = {"dataset": "toy", "subject": f"s{subject:02}", "clip": f"c{clip:02}"}
    return Sample(**identity, emotion=emotion, aus=aus, onset=0, apex=8, offset=10, fps=200)


@pytest.fixture(scope="session")
def toy() -> Callable[..., Features]:
    """`toy(subjects, clips, shuffled)`: features of clips per subject. If shuffled, emotions are random."""

    def make(subjects: int = 4, clips: int = 6, shuffled: bool = False, seed: int = 0) -> Features:
        rng = np.random.default_rng(seed)
        pairs = []
        for number in range(subjects * clips):
            emotion = list(PROTOTYPES)[number % 3]
            label = list(PROTOTYPES)[rng.integers(3)] if shuffled else emotion
            units = PROTOTYPES[emotion]
            pairs.append((sample(number // clips, number % clips, label, units), moved(units, rng)))
        return features.features_from_pairs(pairs)

    return make


@pytest.fixture(scope="session")
def pair() -> Callable[..., tuple[Sample, Arrays]]:
    """One annotated clip: `pair(subject, clip, emotion, units)`."""

    def make(subject: int = 1, clip: int = 1, emotion: str | None = "happiness", units: tuple[int, ...] = (12,)):
        return sample(subject, clip, emotion, units), moved(units, np.random.default_rng(0))

    return make


@pytest.fixture
def lab(tmp_path: Path) -> "Iterator[Lab]":
    """A dataset of two subjects with three clips each, not yet published on the bus."""
    from tests.unit.trainer.lab import Lab  # here: learners are also tested where no web server is installed

    rng = np.random.default_rng(3)
    emotions = [(number // 3, number % 3, emotion) for number, emotion in enumerate([*PROTOTYPES, *PROTOTYPES])]
    clips = [(sample(subject, clip, e, PROTOTYPES[e]), moved(PROTOTYPES[e], rng)) for subject, clip, e in emotions]
    lab = Lab(tmp_path / "home", clips)
    yield lab
    lab.bus.close()


@pytest.fixture
def trainer(lab: "Lab") -> "Iterator[Callable[..., Trainer]]":
    """`trainer(life)` starts another process."""
    from tests.unit.trainer.lab import Trainer

    started = []

    def start(life: "Life | None" = None) -> Trainer:
        started.append(Trainer(lab.home, life))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def drawn_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drawn_table(tmp_path_factory.mktemp("drawn"))


@pytest.fixture(scope="session")
def loso_run(drawn_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that left each of four subjects out."""
    folder = tmp_path_factory.mktemp("loso")
    train_run(drawn_table, folder / "report")
    return folder
