"""The difference between two learners on the same clips: a paired bootstrap over subjects.

Whole subjects are redrawn, because clips of one person are not independent, and both learners are scored on the same
redraw, because they were tested on the same clips (Efron & Tibshirani 1993, ch. 8 and 16). With few subjects such
intervals are too short rather than too long. A learner trained with several seeds has the mean of their figures.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

PAIRED_RESAMPLES = 10_000
FloatArray = NDArray[np.float64]


class Difference(NamedTuple):
    """First learner less second: the figure's difference, its 95 % interval, and p of no difference (two-sided)."""

    difference: float
    interval: tuple[float, float]
    p: float


def compare_emotions(
    true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    subjects: Sequence[Any] | NDArray[Any],
    *,
    resamples: int = PAIRED_RESAMPLES,
    seed: int = 0,
) -> dict[str, Difference]:
    """Differences of `uf1` and `uar`. true [N]; first [R,N] and second [Q,N] predicted labels of R and Q seeds.

    Scores follow the trainer's `metrics.score_emotions`. Raises ValueError for empty input or unequal lengths.
    """
    labels, given = np.asarray(true), [np.atleast_2d(predicted) for predicted in (first, second)]
    draws, member = _redraw_subjects(subjects, len(labels), [each.shape[1] for each in given], resamples, seed)
    classes = np.unique(np.concatenate([labels, *(each.ravel() for each in given)]))
    scored = [_draw_confusions(labels, each, classes, member, draws) for each in given]
    return {
        name: _difference(*(np.mean([figure(tables) for tables in seeds], 0) for seeds in scored))
        for name, figure in (("uf1", _macro_f1), ("uar", _macro_recall))
    }


def compare_action_units(
    true: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    subjects: Sequence[Any] | NDArray[Any],
    *,
    resamples: int = PAIRED_RESAMPLES,
    seed: int = 0,
) -> Difference | None:
    """The difference of the mean F1 of action units. true [N,U]: 0 or 1.

    first [R,N,U] and second [Q,N,U]: predicted units of R and Q seeds, bool. The mean is over the units that a redraw's
    truth shows, the same for both learners. None if no unit occurs. Raises ValueError for unequal lengths.
    """
    units, given = np.asarray(true, float), [np.asarray(predicted, bool) for predicted in (first, second)]
    given = [each[None] if each.ndim == 2 else each for each in given]
    draws, member = _redraw_subjects(subjects, len(units), [each.shape[1] for each in given], resamples, seed)
    if not (units == 1).any():
        return None
    scored = [_draw_unit_scores(units, each, member, draws) for each in given]
    return _difference(*(np.mean(seeds, 0) for seeds in scored))


def _redraw_subjects(
    subjects: Sequence[Any] | NDArray[Any], clips: int, predicted: Sequence[int], resamples: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """How often each redraw has each subject [1+B,S], all subjects once first; and whose clip is whose [S,N]."""
    names, subject = np.unique(np.asarray(subjects), return_inverse=True)
    if not clips or {clips, *predicted} != {len(subject)}:
        raise ValueError(
            f"Expected as many predictions and subjects as labels, got {list(predicted)}, {len(subject)} and {clips}."
        )
    counts = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    return np.concatenate([np.ones((1, len(names))), counts]), np.eye(len(names))[subject].T


def _draw_confusions(
    true: NDArray[Any], predicted: NDArray[Any], classes: NDArray[Any], member: FloatArray, draws: FloatArray
) -> list[FloatArray]:
    """Per seed the confusion matrix of every redraw [1+B,C,C]."""
    rows = np.eye(len(classes))[np.searchsorted(classes, true)]
    columns = [np.eye(len(classes))[np.searchsorted(classes, each)] for each in predicted]
    return [np.tensordot(draws, np.einsum("sn,ni,nj->sij", member, rows, each), 1) for each in columns]


def _macro_f1(tables: FloatArray) -> FloatArray:
    """[B,C,C] -> [B], over the classes that occur in truth or predictions."""
    hits, both = np.diagonal(tables, axis1=1, axis2=2), tables.sum(1) + tables.sum(2)
    return np.asarray(np.divide(2 * hits, both, out=np.zeros_like(both), where=both > 0).sum(1) / (both > 0).sum(1))


def _macro_recall(tables: FloatArray) -> FloatArray:
    """[B,C,C] -> [B], over the same classes."""
    hits, rows, both = np.diagonal(tables, axis1=1, axis2=2), tables.sum(2), tables.sum(1) + tables.sum(2)
    return np.asarray(np.divide(hits, rows, out=np.zeros_like(rows), where=rows > 0).sum(1) / (both > 0).sum(1))


def _draw_unit_scores(
    true: FloatArray, predicted: NDArray[np.bool_], member: FloatArray, draws: FloatArray
) -> list[FloatArray]:
    """Per seed the mean F1 of every redraw [1+B]; NaN for a redraw whose truth shows no unit."""
    shown = true == 1
    positives = draws @ (member @ shown)  # [1+B,U]
    found = []
    for each in predicted:
        hits = draws @ (member @ (shown & each))
        errors = draws @ (member @ (shown ^ each))
        f1 = np.divide(2 * hits, 2 * hits + errors, out=np.zeros_like(hits), where=hits + errors > 0)
        occur = (positives > 0).sum(1)
        total = np.where(positives > 0, f1, 0.0).sum(1)
        found.append(np.divide(total, occur, out=np.full(len(draws), np.nan), where=occur > 0))
    return found


def _difference(first: FloatArray, second: FloatArray) -> Difference:
    """From the figures [1+B] of all clips and of the redraws. p counts redraws on the other side of 0, and ties."""
    whole, *_ = found = first - second
    redrawn = np.round(found[1:], 12)  # equal figures may differ in their last digits
    redrawn = redrawn[np.isfinite(redrawn)]
    low, high = np.percentile(redrawn, [2.5, 97.5])
    beyond = min(int((redrawn <= 0).sum()), int((redrawn >= 0).sum())) + 1
    return Difference(float(whole), (float(low), float(high)), min(1.0, 2 * beyond / (len(redrawn) + 1)))
