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

from services.trainer.data.annotations import AnnotatedClip, au_vector, clip_id, emotion_classes, subject_id
from services.trainer.data.arrays import ARRAY_SPECS, PATCHES_SHAPE, ArrayAllocator, collect_arrays
from shared.errors import BadData
from shared.stage import Arrays

OtherEmotions = Literal["refuse", "leave out"]
FIELD_BY_ARRAY = {
    "patches": "patches",
    "clip": "clips",
    "maps": "maps",
}  # a clip's array -> the field that holds all of them


@dataclass(frozen=True, kw_only=True)
class Features:
    """N clips with their targets.

    patches [N,F,9,2,30,7,7] float32 flow in px, clips [N,16,144,144,3] uint8 RGB, maps [N,F,3,28,28] float32 (u, v,
    strain) from onset to apex, factors [F] amplification, emotions [N] int64 index into `classes`, aus [N,9] uint8,
    subjects and names [N] text, `left_out` = clips of other emotions by name. What roi-au made holds all arrays;
    somebody's table may hold some of them, the others are None.
    """

    patches: NDArray[np.float32] | None = None
    clips: NDArray[np.uint8] | None = None
    maps: NDArray[np.float32] | None = None
    factors: NDArray[np.float64]
    emotions: NDArray[np.int64]
    aus: NDArray[np.uint8]
    subjects: NDArray[np.str_]
    names: NDArray[np.str_]
    classes: tuple[str, ...]
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def array_names(self) -> tuple[str, ...]:
        """Which of `patches`, `clip` and `maps` there are."""
        return tuple(what for what, field_ in FIELD_BY_ARRAY.items() if getattr(self, field_) is not None)

    def array_by_name(self, array_name: str) -> NDArray[Any]:
        """All clips' arrays of this name. Raises BadData where there are none."""
        array: NDArray[Any] | None = getattr(self, FIELD_BY_ARRAY[array_name])
        if array is None:
            raise BadData(
                f"Expected features with {array_name}, got features that hold only {', '.join(self.array_names)}."
            )
        return array

    def factor_index(self, factor: float) -> int:
        """Index of the available factor nearest to `factor`."""
        return int(np.abs(self.factors - factor).argmin())

    @cached_property
    def digest(self) -> str:
        """sha256 over all arrays and labels: what a run was trained on."""
        total = hashlib.sha256(json.dumps(_features_labels(self), sort_keys=True).encode())
        for what in self.array_names:
            total.update(what.encode())
            for row in self.array_by_name(what):
                total.update(np.ascontiguousarray(row).data)
        return total.hexdigest()

    def save(self, folder: Path) -> None:
        """Write an .npy for each array that there is, then labels.json."""
        folder.mkdir(parents=True, exist_ok=True)
        for what in self.array_names:
            np.save(folder / f"{what}.npy", self.array_by_name(what), allow_pickle=False)
        (folder / "labels.json").write_text(json.dumps(_features_labels(self)))

    @classmethod
    def open(cls, folder: Path) -> "Features":
        """Map what `save` wrote: processes that open the same folder share its pages."""
        labels = json.loads((folder / "labels.json").read_text())
        return cls(
            **{
                FIELD_BY_ARRAY[what]: np.load(folder / f"{what}.npy", mmap_mode="r", allow_pickle=False)
                for what in labels["holds"]
            },
            factors=np.array(labels["factors"], np.float64),
            emotions=np.array(labels["emotions"], np.int64),
            aus=np.array(labels["aus"], np.uint8),
            subjects=np.array(labels["subjects"]),
            names=np.array(labels["names"]),
            classes=tuple(labels["classes"]),
            left_out=labels["left_out"],
        )


@dataclass(frozen=True)
class FeatureSubset:
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
    def class_count(self) -> int:
        return len(self.features.classes)

    @property
    def factors(self) -> NDArray[np.float64]:
        return self.features.factors

    def batch_array(
        self, array_name: str, clip_indices: NDArray[np.intp], factor_indices: NDArray[np.intp]
    ) -> NDArray[Any]:
        """Of the clips `which` [n], at the factor indices [n] or, one per flow field, [n,9]: `patches` [n,9,2,30,7,7],
        `maps` [n,3,28,28] (u, v, strain; of nine factors the last) or the frames `clip` [n,3,16,144,144]."""
        rows, array = self.rows[clip_indices], self.features.array_by_name(array_name)
        if array_name == "clip":
            return array[rows].transpose(0, 4, 1, 2, 3)
        if factor_indices.ndim == 1:
            return array[rows, factor_indices]
        if array_name == "maps":
            return array[rows, factor_indices[:, -1]]
        return array[rows[:, None], factor_indices, np.arange(PATCHES_SHAPE[0])]


def features_from_pairs(
    pairs: Iterable[tuple[AnnotatedClip, Arrays]],
    classes: Sequence[str] | None = None,
    other_emotions: OtherEmotions = "refuse",
) -> Features:
    """Features of (annotation, arrays `patches`, `clip`, `maps`, `factors`); see `assemble`."""
    found = list(pairs)
    return build_features([sample for sample, _ in found], lambda row: found[row][1], classes, other_emotions)


def build_features(
    samples: Sequence[AnnotatedClip],
    read_arrays: Callable[[int], Arrays],
    classes: Sequence[str] | None = None,
    other_emotions: OtherEmotions = "refuse",
    allocate: ArrayAllocator = np.empty,
    array_names: Sequence[str] = tuple(ARRAY_SPECS),
) -> Features:
    """Features of annotated clips in the order of their names, whatever order they come in; `read(row)` gives the
    arrays of one, one is held at a time, and `empty` the room for all; `names`: the arrays to take. Raises BadData as
    `select` does and, naming the clip, for an absent array, wrong shapes, differing factors or NaN."""
    rows, chosen = select_clips(samples, classes, other_emotions)
    kept = [samples[row] for row in rows]
    arrays, factors = collect_arrays(kept, (read_arrays(row) for row in rows), array_names, allocate)
    return Features(
        **{FIELD_BY_ARRAY[what]: array for what, array in arrays.items()},
        factors=factors,
        emotions=np.array([chosen.index(str(sample.emotion)) for sample in kept], np.int64),
        aus=np.stack([au_vector(sample.aus) for sample in kept]),
        subjects=np.array([subject_id(sample) for sample in kept]),
        names=np.array([clip_id(sample) for sample in kept]),
        classes=chosen,
        left_out=dict(Counter(str(sample.emotion) for sample in samples if sample.emotion not in chosen)),
    )


def select_clips(
    samples: Sequence[AnnotatedClip], classes: Sequence[str] | None = None, other_emotions: OtherEmotions = "refuse"
) -> tuple[list[int], tuple[str, ...]]:
    """Which of the clips to take, in the order of their names, and the classes: by default all that occur. A clip of
    another emotion is refused, or left out. Raises BadData for no clip at all, one given twice, an unknown emotion."""
    if not samples:
        raise BadData("No features at all: expected at least one clip; run the stages up to roi-au first.")
    chosen = emotion_classes(samples, classes)
    order = sorted(range(len(samples)), key=lambda row: clip_id(samples[row]))
    for one, other in pairwise(order):
        if clip_id(samples[one]) == clip_id(samples[other]):
            raise BadData(
                f"{clip_id(samples[one])}: given twice; expected each clip once, so hand in one pipeline's "
                "features only."
            )
    kept = [row for row in order if samples[row].emotion in chosen]
    if other_emotions == "refuse" and len(kept) < len(order):
        wrong = next(samples[row] for row in order if samples[row].emotion not in chosen)
        raise BadData(
            f"{clip_id(wrong)}: emotion {wrong.emotion!r} is none of {', '.join(chosen)}; add it to the classes "
            "or leave "
            "clips of other emotions out."
        )
    return kept, chosen


def _features_labels(features: Features) -> dict[str, Any]:
    return {
        "holds": list(features.array_names),
        "factors": features.factors.tolist(),
        "emotions": features.emotions.tolist(),
        "aus": features.aus.tolist(),
        "subjects": features.subjects.tolist(),
        "names": features.names.tolist(),
        "classes": list(features.classes),
        "left_out": features.left_out,
    }
