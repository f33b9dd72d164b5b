"""The picture of training."""

import base64

from services.trainer.report.model import EpochSeries
from services.trainer.report.training_curves import draw_training_curves


def series(*folds: list[float], au: float = 1.0) -> EpochSeries:
    return EpochSeries(
        **{
            name: [[value * (au if name == "au_loss" else 1) for value in fold] for fold in folds]
            for name in EpochSeries.model_fields
        }
    )


def drawn(uri: str) -> str:
    return base64.b64decode(uri.partition(",")[2]).decode()


def test_nothing_is_drawn_of_learners_without_epochs():
    assert draw_training_curves(series([], [])) is None


def test_equal_series_give_equal_bytes_and_others_do_not():
    assert draw_training_curves(series([1.0, 0.5], [0.9, 0.4])) == draw_training_curves(series([1.0, 0.5], [0.9, 0.4]))
    assert draw_training_curves(series([1.0, 0.5], [0.9, 0.4])) != draw_training_curves(series([1.0, 0.5], [0.9, 0.3]))


def test_folds_may_end_at_different_epochs_and_units_may_be_absent():
    with_units, without = (drawn(draw_training_curves(series([1.0, 0.5, 0.2], [0.9], au=au))) for au in (1.0, 0.0))
    assert len(with_units) > len(without)
