"""All features of a run, held once: arrays that stay in memory or lie in .npy files that every process maps."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from services.trainer.labels import Annotated, au_vector, classes_of, name, person
from shared.errors import BadData
from shared.stage import Arrays

PATCHES = (9, 2, 30, 7, 7)  # flow fields, (u, v), ROIs, rows, columns
CLIP = (16, 144, 144, 3)  # frames, rows, columns, RGB
Others = Literal["refuse", "leave out"]
Empty = Callable[[tuple[int, ...], np.dtype[Any]], NDArray[Any]]  # room for an array, given shape and type


@dataclass(frozen=True)
class Features:
    """N clips with their targets.

    patches [N,F,9,2,30,7,7] float32 flow in px, clips [N,16,144,144,3] uint8 RGB, factors [F] amplification,
    emotions [N] int64 index into `classes`, aus [N,9] uint8, subjects and names [N] text, `left_out` = clips of other
    emotions by name.
    """

    patches: NDArray[np.float32]
    clips: NDArray[np.uint8]
    factors: NDArray[np.float64]
    emotions: NDArray[np.int64]
    aus: NDArray[np.uint8]
    subjects: NDArray[np.str_]
    names: NDArray[np.str_]
    classes: tuple[str, ...]
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def factor_index(self, factor: float) -> int:
        """Index of the available factor nearest to `factor`."""
        return int(np.abs(self.factors - factor).argmin())

    @cached_property
    def digest(self) -> str:
        """sha256 over all arrays and labels: what a run was trained on."""
        total = hashlib.sha256(json.dumps(_labels(self), sort_keys=True).encode())
        for array in (self.patches, self.clips):
            for row in array:
                total.update(np.ascontiguousarray(row).data)
        return total.hexdigest()

    def save(self, folder: Path) -> None:
        """Write patches.npy, clips.npy and labels.json."""
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "patches.npy", self.patches, allow_pickle=False)
        np.save(folder / "clips.npy", self.clips, allow_pickle=False)
        (folder / "labels.json").write_text(json.dumps(_labels(self)))

    @classmethod
    def open(cls, folder: Path) -> "Features":
        """Map what `save` wrote: processes that open the same folder share its pages."""
        labels = json.loads((folder / "labels.json").read_text())
        return cls(
            patches=np.load(folder / "patches.npy", mmap_mode="r", allow_pickle=False),
            clips=np.load(folder / "clips.npy", mmap_mode="r", allow_pickle=False),
            factors=np.array(labels["factors"], np.float64),
            emotions=np.array(labels["emotions"], np.int64),
            aus=np.array(labels["aus"], np.uint8),
            subjects=np.array(labels["subjects"]),
            names=np.array(labels["names"]),
            classes=tuple(labels["classes"]),
            left_out=labels["left_out"],
        )


@dataclass(frozen=True)
class Part:
    """Some of the clips, by index: what a learner is handed, so that it cannot see the others or their labels."""

    features: Features
    rows: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def emotions(self) -> NDArray[np.int64]:
        return self.features.emotions[self.rows]

    @property
    def aus(self) -> NDArray[np.uint8]:
        return self.features.aus[self.rows]

    @property
    def classes(self) -> int:
        return len(self.features.classes)

    @property
    def factors(self) -> NDArray[np.float64]:
        return self.features.factors

    def patches(self, which: NDArray[np.intp], factors: NDArray[np.intp]) -> NDArray[np.float32]:
        """Patches [n,9,2,30,7,7] of the clips `which` [n] at the factor indices [n] or, one per flow field, [n,9]."""
        rows = self.rows[which]
        if factors.ndim == 1:
            return self.features.patches[rows, factors]
        return self.features.patches[rows[:, None], factors, np.arange(PATCHES[0])]

    def clips(self, which: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Clips [n,3,16,144,144]."""
        return self.features.clips[self.rows[which]].transpose(0, 4, 1, 2, 3)


def build(
    pairs: Iterable[tuple[Annotated, Arrays]],
    classes: Sequence[str] | None = None,
    others: Others = "refuse",
) -> Features:
    """Features of (annotation, arrays `patches`, `clip`, `factors`); see `assemble`."""
    found = list(pairs)
    return assemble([sample for sample, _ in found], lambda row: found[row][1], classes, others)


def assemble(
    samples: Sequence[Annotated],
    read: Callable[[int], Arrays],
    classes: Sequence[str] | None = None,
    others: Others = "refuse",
    empty: Empty = np.empty,
) -> Features:
    """Features of annotated clips in the order of their names, whatever order they come in; `read(row)` gives the
    arrays of one, one is held at a time, and `empty` the room for all. Raises BadData as `select` does and, naming the
    clip, for wrong shapes, differing factors or NaN."""
    rows, chosen = select(samples, classes, others)
    kept = [samples[row] for row in rows]
    patches, clips, factors = _filled(kept, (read(row) for row in rows), empty)
    return Features(
        patches=patches,
        clips=clips,
        factors=factors,
        emotions=np.array([chosen.index(str(sample.emotion)) for sample in kept], np.int64),
        aus=np.stack([au_vector(sample.aus) for sample in kept]),
        subjects=np.array([person(sample) for sample in kept]),
        names=np.array([name(sample) for sample in kept]),
        classes=chosen,
        left_out=dict(Counter(str(sample.emotion) for sample in samples if sample.emotion not in chosen)),
    )


def select(
    samples: Sequence[Annotated], classes: Sequence[str] | None = None, others: Others = "refuse"
) -> tuple[list[int], tuple[str, ...]]:
    """Which of the clips to take, in the order of their names, and the classes: by default all that occur. A clip of
    another emotion is refused, or left out. Raises BadData for no clip at all, one given twice, an unknown emotion."""
    if not samples:
        raise BadData("No features at all: expected at least one clip; run the stages up to roi-au first.")
    chosen = classes_of(samples, classes)
    order = sorted(range(len(samples)), key=lambda row: name(samples[row]))
    for one, other in pairwise(order):
        if name(samples[one]) == name(samples[other]):
            raise BadData(
                f"{name(samples[one])}: given twice; expected each clip once, so hand in one pipeline's features only."
            )
    kept = [row for row in order if samples[row].emotion in chosen]
    if others == "refuse" and len(kept) < len(order):
        wrong = next(samples[row] for row in order if samples[row].emotion not in chosen)
        raise BadData(
            f"{name(wrong)}: emotion {wrong.emotion!r} is none of {', '.join(chosen)}; add it to the classes or leave "
            "clips of other emotions out."
        )
    return kept, chosen


def _filled(
    samples: Sequence[Annotated], found: Iterable[Arrays], empty: Empty
) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.float64]]:
    """Patches, clips and factors of all samples, each checked as it comes."""
    factors: NDArray[np.float64] = np.empty(0)
    patches, clips = np.empty(0, np.float32), np.empty(0, np.uint8)
    for place, (sample, arrays) in enumerate(zip(samples, found, strict=True)):
        if not place:
            factors = np.asarray(arrays["factors"], np.float64)
            patches = empty((len(samples), len(factors), *PATCHES), np.dtype(np.float32))
            clips = empty((len(samples), *CLIP), np.dtype(np.uint8))
        _check_factors(sample, arrays["factors"], factors, samples[0])
        _check_array(sample, "patches", arrays["patches"], (len(factors), *PATCHES), "f")
        _check_array(sample, "clip", arrays["clip"], CLIP, "u")
        patches[place], clips[place] = arrays["patches"], arrays["clip"]
    return patches, clips, factors


def _check_factors(sample: Annotated, got: NDArray[Any], factors: NDArray[np.float64], first: Annotated) -> None:
    if not np.array_equal(got, factors):
        raise BadData(
            f"{name(sample)}: expected the factors {factors.tolist()} of {name(first)}, got "
            f"{np.asarray(got).tolist()}; run the magnifier with the same factors for all clips."
        )


def _check_array(sample: Annotated, what: str, array: NDArray[Any], shape: tuple[int, ...], kind: str) -> None:
    if array.shape != shape or array.dtype.kind != kind:
        raise BadData(
            f"{name(sample)}: expected {what} of shape {shape} and kind {kind!r}, got {array.shape} {array.dtype}; run "
            "roi-au again for this clip."
        )
    if kind == "f" and not np.isfinite(array).all():
        count = int((~np.isfinite(array)).sum())
        raise BadData(
            f"{name(sample)}: {what} has {count} values that are no finite numbers; run flow and roi-au again."
        )


def _labels(features: Features) -> dict[str, Any]:
    return {
        "factors": features.factors.tolist(),
        "emotions": features.emotions.tolist(),
        "aus": features.aus.tolist(),
        "subjects": features.subjects.tolist(),
        "names": features.names.tolist(),
        "classes": list(features.classes),
        "left_out": features.left_out,
    }
