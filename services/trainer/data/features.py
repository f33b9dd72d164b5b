"""All features of a run, held once: arrays in memory, or in .npy files that every process maps."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.trainer.data.arrays import (
    ARRAY_SPECS,
    FLOW_COUNT,
    ArrayAllocator,
    Indices,
    collect_arrays,
    take_batch,
)
from shared.errors import BadData
from shared.stage import Arrays
from shared.training.annotations import (
    PAPER_UNITS,
    AnnotatedClip,
    au_vector,
    clip_id,
    facial_units,
    order_units,
    subject_id,
    units_of_clips,
)
from shared.training.clip_selection import OtherEmotions, select_clips


@dataclass(frozen=True, kw_only=True)
class Features:
    """N clips with their targets.

    arrays: by name `patches` [N,F,9,2,30,7,7] float32 flow in px, `clip` [N,16,144,144,3] uint8 RGB and `maps`
    [N,F,3,28,28] float32 (u, v in px, strain) from onset to apex. Features from roi-au hold all three, features from a
    user's table may hold some of them.
    factors: [F] amplification. emotions: [N] int64 index into `classes`. subjects and names: [N] `dataset/subject` and
    `dataset/subject/clip`. left_out: number of clips of other emotions, by emotion.
    units: the K action units that this data's learners predict and that are scored, as `order_units` orders them.
    target_units: the U units that have targets: `units`, those of networks with units of their own, and all others
    that some clip shows.
    aus: [N,U] uint8, 1 where a clip shows the unit. au_coded: [N], whether a clip was coded for action units. The row
    of a clip that was not is 0 and says nothing.
    """

    arrays: Mapping[str, NDArray[Any]]
    factors: NDArray[np.float64]
    emotions: NDArray[np.int64]
    aus: NDArray[np.uint8]
    au_coded: NDArray[np.bool_]
    subjects: NDArray[np.str_]
    names: NDArray[np.str_]
    classes: tuple[str, ...]
    units: tuple[int, ...] = PAPER_UNITS
    target_units: tuple[int, ...] = PAPER_UNITS
    left_out: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def array_names(self) -> tuple[str, ...]:
        """The names of the arrays that these features hold, in the order of ARRAY_SPECS."""
        return tuple(name for name in ARRAY_SPECS if name in self.arrays)

    @property
    def dataset_names(self) -> NDArray[np.str_]:
        """[N] the dataset of each clip."""
        return np.array([subject.partition("/")[0] for subject in self.subjects.tolist()])

    def array_by_name(self, array_name: str) -> NDArray[Any]:
        """The array of this name of all clips, [N, ...]. Raises BadData if these features do not hold it."""
        if array_name not in self.arrays:
            raise BadData(
                f"Expected features with {array_name}, got features that hold only {', '.join(self.array_names)}. "
                "Choose a model that needs no other arrays."
            )
        return self.arrays[array_name]

    def au_targets(self, units: Sequence[int]) -> NDArray[np.uint8]:
        """[N,k] the columns of `aus` of k units. Raises ValueError for a unit without targets."""
        return self.aus[:, [self.target_units.index(unit) for unit in units]]

    def factor_index(self, factor: float) -> int:
        """Index of the available factor nearest to `factor`."""
        return int(np.abs(self.factors - factor).argmin())

    def find_rows(self, clip_names: Iterable[str]) -> list[int]:
        """Row of each named clip, in the order of the names. Raises KeyError for a name that no clip has."""
        row_by_name = {name: row for row, name in enumerate(self.names.tolist())}
        return [row_by_name[name] for name in clip_names]

    @cached_property
    def digest(self) -> str:
        """sha256 of all arrays and labels: it identifies what a run was trained on."""
        total = hashlib.sha256(json.dumps(_features_labels(self), sort_keys=True).encode())
        for name in self.array_names:
            total.update(name.encode())
            for row in self.arrays[name]:
                total.update(np.ascontiguousarray(row).data)
        return total.hexdigest()

    def save(self, folder: Path) -> None:
        """Write one .npy per array, then labels.json."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in self.array_names:
            np.save(folder / f"{name}.npy", self.arrays[name], allow_pickle=False)
        (folder / "labels.json").write_text(json.dumps(_features_labels(self)))

    @classmethod
    def open(cls, folder: Path) -> "Features":
        """Map what `save` wrote: processes that open the same folder share its pages."""
        labels = json.loads((folder / "labels.json").read_text())
        return cls(
            arrays={
                name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in labels["holds"]
            },
            factors=np.array(labels["factors"], np.float64),
            emotions=np.array(labels["emotions"], np.int64),
            aus=np.array(labels["aus"], np.uint8),
            au_coded=np.array(labels["au_coded"], bool),
            units=tuple(labels["units"]),
            target_units=tuple(labels["target_units"]),
            subjects=np.array(labels["subjects"]),
            names=np.array(labels["names"]),
            classes=tuple(labels["classes"]),
            left_out=labels["left_out"],
        )


@dataclass(frozen=True)
class FeatureSubset:
    """Some of the clips, by index `rows` [n]. A learner gets this, so it cannot see other clips or their labels."""

    features: Features
    rows: Indices

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def emotions(self) -> NDArray[np.int64]:
        """[n] index into the classes."""
        return self.features.emotions[self.rows]

    @property
    def aus(self) -> NDArray[np.uint8]:
        """[n,K] 0 or 1, of the units that are scored. Rows of clips that are not `au_coded` say nothing."""
        return self.au_targets(self.features.units)

    @property
    def au_coded(self) -> NDArray[np.bool_]:
        """[n] whether a clip was coded for action units."""
        return self.features.au_coded[self.rows]

    def au_targets(self, units: Sequence[int]) -> NDArray[np.uint8]:
        """[n,k] 0 or 1, of these k units."""
        return self.features.au_targets(units)[self.rows]

    @property
    def class_count(self) -> int:
        return len(self.features.classes)

    @property
    def factors(self) -> NDArray[np.float64]:
        """[F] amplification."""
        return self.features.factors

    def batch_array(self, array_name: str, clip_indices: Indices, factor_indices: Indices) -> NDArray[Any]:
        """One array of the clips `clip_indices` [n] of this subset, at `factor_indices` [n] or, per flow field, [n,9].

        Returns the shapes of `take_batch`. Raises BadData if the features do not hold the array.
        """
        array: NDArray[Any] = take_batch(
            array_name,
            self.features.array_by_name(array_name),
            self.rows[clip_indices],
            factor_indices,
            np.arange(FLOW_COUNT),
        )
        return array


def features_from_pairs(
    pairs: Iterable[tuple[AnnotatedClip, Arrays]],
    classes: Sequence[str] | None = None,
    other_emotions: OtherEmotions = "refuse",
) -> Features:
    """Features of pairs (annotation, arrays by name with the shapes of ARRAY_SPECS and `factors` [F]).

    Raises BadData as `build_features` does.
    """
    found = list(pairs)
    return build_features([sample for sample, _ in found], lambda row: found[row][1], classes, other_emotions)


def build_features(
    samples: Sequence[AnnotatedClip],
    read_arrays: Callable[[int], Arrays],
    classes: Sequence[str] | None = None,
    other_emotions: OtherEmotions = "refuse",
    allocate: ArrayAllocator = np.empty,
    array_names: Sequence[str] = tuple(ARRAY_SPECS),
    units: Sequence[int] = (),
) -> Features:
    """Features of N annotated clips, sorted by clip name.

    `read_arrays(row)` returns the arrays of one clip: shapes as in ARRAY_SPECS, and `factors` [F]. Only one clip's
    arrays are held at a time. `allocate` returns the arrays [N, ...] to fill. `array_names`: the arrays to read.
    `units`: the action units of the protocol. Without them those of `units_of_clips`, or the paper's if there are none.
    Raises BadData as `select_clips` and `collect_arrays` do.
    """
    rows, chosen = select_clips(samples, classes, other_emotions)
    kept = [samples[row] for row in rows]
    arrays, factors = collect_arrays(kept, (read_arrays(row) for row in rows), array_names, allocate)
    scored_units = order_units(units or units_of_clips(kept) or PAPER_UNITS)
    target_units = order_units({*scored_units, *PAPER_UNITS, *facial_units(kept)})
    return Features(
        arrays=arrays,
        factors=factors,
        emotions=np.array([chosen.index(str(sample.emotion)) for sample in kept], np.int64),
        aus=np.stack([au_vector(sample.aus, target_units) for sample in kept]),
        au_coded=np.array([bool(sample.aus) for sample in kept]),
        units=scored_units,
        target_units=target_units,
        subjects=np.array([subject_id(sample) for sample in kept]),
        names=np.array([clip_id(sample) for sample in kept]),
        classes=chosen,
        left_out=dict(Counter(str(sample.emotion) for sample in samples if sample.emotion not in chosen)),
    )


def _features_labels(features: Features) -> dict[str, Any]:
    return {
        "holds": list(features.array_names),
        "factors": features.factors.tolist(),
        "emotions": features.emotions.tolist(),
        "aus": features.aus.tolist(),
        "au_coded": features.au_coded.tolist(),
        "units": list(features.units),
        "target_units": list(features.target_units),
        "subjects": features.subjects.tolist(),
        "names": features.names.tolist(),
        "classes": list(features.classes),
        "left_out": features.left_out,
    }
