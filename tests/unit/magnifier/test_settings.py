"""The settings: differences between the profiles, and refused values."""

import pytest
from pydantic import ValidationError

from shared.stage_settings.magnifier import MAGNIFIER_PROFILES, MagnifierSettings


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
    }


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
    ],
)
def test_nonsense_is_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MagnifierSettings(**values)
