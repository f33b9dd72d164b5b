"""The settings: differences between the profiles, and refused values."""

import pytest
from pydantic import ValidationError

from services.magnifier.stage import STAGE
from shared.records import Pipeline
from shared.stage_settings.magnifier import (
    MAGNET_ONLY,
    MAGNIFIER_PROFILES,
    SHIPPED_WEIGHTS,
    MagnifierSettings,
)
from shared.worker.stage_handler import pipeline_settings


def test_what_the_paper_does_differently() -> None:
    corrected, paper = (MAGNIFIER_PROFILES[name].model_dump() for name in ("corrected", "paper"))
    assert {name: value for name, value in paper.items() if corrected[name] != value} == {
        "fl": 0.5,
        "temporal_filter": "causal",
        "first_frame": "dropped",
        "halved_cutoffs": True,
        "nominal_fps": 30.0,
        "light": "as-recorded",
        "head": "as-recorded",
        "lambda_c": 48.0,
        "wavelengths": "diagonal",
        "gain_floor": None,
        "finest_band": False,
        "append_raw_last": True,
        "precision": "float64",
        "decode": "plain",
    }


def test_recipes_of_evm_do_not_name_the_settings_of_magnet() -> None:
    settings = MagnifierSettings(decode="plain", weights="a" * 64)
    recipe = settings.model_dump(mode="json")
    assert recipe == MagnifierSettings().model_dump(mode="json")
    assert set(MagnifierSettings.model_fields) - set(recipe) == set(MAGNET_ONLY)
    learned = settings.model_copy(update={"method": "magnet"})
    own = {"method": "magnet", "decode": "plain", "weights": "a" * 64, "shape_maps": False}
    assert learned.model_dump(mode="json") == recipe | own


def test_a_setting_over_a_profile_keeps_the_rest_of_the_profile() -> None:
    """As a worker merges them; a recipe's shorter form would lose the decode of `paper`."""
    pipeline = Pipeline(profile="paper", overrides={"magnifier": {"method": "magnet"}})
    merged = pipeline_settings(STAGE, pipeline)
    assert merged == MAGNIFIER_PROFILES["paper"].model_copy(update={"method": "magnet"})
    assert (merged.decode, merged.weights) == ("plain", SHIPPED_WEIGHTS)


def test_the_default_is_corrected() -> None:
    assert MagnifierSettings() == MAGNIFIER_PROFILES["corrected"]


def test_every_setting_says_what_it_is() -> None:
    assert all(len(field.description or "") > 20 for field in MagnifierSettings.model_fields.values())


@pytest.mark.parametrize(
    "values",
    [
        {"fl": 10.0, "fh": 0.5},
        {"factors": ()},
        {"factors": (-1.0,)},
        {"factors": (float("nan"),)},
        {"jpeg_quality": 0},
        {"chrom_attenuation": 2.0},
        {"lambda_c": 0.0},
        {"nominal_fps": 0.0},
        {"colour": "red"},
        {"method": "dvmag"},
        {"weights": "shipped"},
    ],
)
def test_nonsense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MagnifierSettings(**values)
