"""Scores of the pooled predictions of all folds.

Conventions follow scikit-learn. The classes are those that occur in the truth or in the predictions, sorted. F1, recall
and precision of a class without a denominator are 0. UF1 is macro F1, UAR is macro recall. F1 of an AU is that of its
presence. An AU that does not occur in the truth has no F1 (None) and does not enter the mean, whether it was predicted
or not: so the means of all learners are over the same AUs.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def score_emotions(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    subjects: Sequence[Any] | NDArray[Any],
    *,
    resamples: int = 2000,
    seed: int = 0,
) -> dict[str, Any]:
    """Score the labels y_pred [N] against y_true [N] (names or integers); subjects [N] are the samples' subjects.

    Returns samples, classes, uf1, uar, accuracy, confusion (rows: truth, columns: prediction), per_class, per_subject
    and interval. The interval has 95 % bounds of uf1, uar and accuracy over `resamples` seeded redraws of whole
    subjects, because clips of one person are not independent. Raises ValueError for empty input or unequal lengths.
    """
    true, pred, groups = np.asarray(y_true), np.asarray(y_pred), np.asarray(subjects)
    if not len(true) == len(pred) == len(groups) or not len(true):
        raise ValueError(
            f"Expected as many predictions and subjects as labels, got {len(pred)}, {len(groups)} and {len(true)}."
        )
    classes = np.unique(np.concatenate([true, pred]))
    names, tables = _subject_confusions(true, pred, groups, classes)
    total = tables.sum(0)
    f1, recall, precision = _class_f1_scores(total), _class_recalls(total), _class_recalls(total.T)
    return {
        "samples": len(true),
        "classes": classes.tolist(),
        "uf1": float(f1.mean()),
        "uar": float(recall.mean()),
        "accuracy": float(np.trace(total) / total.sum()),
        "confusion": total.astype(int).tolist(),
        "per_class": [
            {"class": name, "samples": int(n), "f1": float(f), "recall": float(r), "precision": float(p)}
            for name, n, f, r, p in zip(classes.tolist(), total.sum(1), f1, recall, precision, strict=True)
        ],
        "per_subject": [
            {"subject": name, "samples": int(table.sum()), "accuracy": float(np.trace(table) / table.sum())}
            for name, table in zip(names, tables, strict=True)
        ],
        "interval": _bootstrap_intervals(tables, resamples, seed),
    }


def score_action_units(true: ArrayLike, pred: ArrayLike, units: Sequence[int]) -> dict[str, Any]:
    """F1 per action unit and their mean over units that occur in the truth, of true and pred [N,U], non-zero = present,
    for U `units`.

    Raises ValueError for other shapes.
    """
    t, p = np.asarray(true).astype(bool), np.asarray(pred).astype(bool)
    if t.shape != p.shape or t.ndim != 2 or t.shape[1] != len(units):
        raise ValueError(f"Expected two arrays of N x {len(units)} units, got {t.shape} and {p.shape}.")
    hits, errors = (t & p).sum(0), (t ^ p).sum(0)
    rows = zip(units, t.sum(0).tolist(), p.sum(0).tolist(), hits.tolist(), errors.tolist(), strict=True)
    scores = [
        {"au": au, "positives": n, "predicted": k, "f1": 2 * h / (2 * h + e) if n else None} for au, n, k, h, e in rows
    ]
    return {"macro": mean_unit_f1(scores, units), "units": scores}


def mean_unit_f1(scores: Sequence[Mapping[str, Any]], units: Collection[int]) -> float | None:
    """The mean F1 of those `units` that have one, from rows of `score_action_units`. None if none has."""
    known = [row["f1"] for row in scores if row["au"] in units and row["f1"] is not None]
    return sum(known) / len(known) if known else None


def _subject_confusions(
    true: NDArray[Any], pred: NDArray[Any], subject_ids: NDArray[Any], classes: NDArray[Any]
) -> tuple[list[Any], FloatArray]:
    """One confusion matrix per subject: names [S], counts [S,C,C]."""
    names, subject = np.unique(subject_ids, return_inverse=True)
    tables = np.zeros((len(names), len(classes), len(classes)))
    np.add.at(tables, (subject, np.searchsorted(classes, true), np.searchsorted(classes, pred)), 1)
    return names.tolist(), tables


def _safe_ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _class_recalls(table: FloatArray) -> FloatArray:
    """[..., C, C] -> [..., C]: share of each row on the diagonal. The transpose gives precision."""
    return _safe_ratio(np.diagonal(table, axis1=-2, axis2=-1).copy(), table.sum(-1))


def _class_f1_scores(table: FloatArray) -> FloatArray:
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    return _safe_ratio(2 * hits, table.sum(-1) + table.sum(-2))


def _bootstrap_intervals(tables: FloatArray, resamples: int, seed: int) -> dict[str, list[float]]:
    """Percentile bootstrap. A redraw is scored over the classes that occur in it, as in `score_emotions`."""
    subjects = len(tables)
    draws = np.random.default_rng(seed).multinomial(subjects, np.full(subjects, 1 / subjects), resamples)
    drawn = np.einsum("rs,sij->rij", draws.astype(float), tables)
    occurs = (drawn.sum(1) + drawn.sum(2)) > 0  # [R,C]
    figures = {
        "uf1": _class_f1_scores(drawn).sum(1) / occurs.sum(1),
        "uar": _class_recalls(drawn).sum(1) / occurs.sum(1),
        "accuracy": np.trace(drawn, axis1=1, axis2=2) / drawn.sum((1, 2)),
    }
    return {name: np.percentile(values, [2.5, 97.5]).tolist() for name, values in figures.items()}
