"""docs/reference/science-settings.md names every setting that differs between the profiles, with both values."""

from pathlib import Path
from typing import Any

import pytest

from merstream.stages import STAGES
from shared.training.model_settings import MODEL_PROFILES as MODELS
from shared.training.settings import PROFILES as TRAINING

PAGE = Path(__file__).parents[2] / "docs/reference/science-settings.md"
TABLE = [line.split("|")[1:4] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
ROWS = {name.strip(): (paper.strip(), corrected.strip()) for name, paper, corrected in TABLE}
PROFILES: dict[str, Any] = {stage.name: stage.profiles for stage in STAGES} | {"network": MODELS, "train": TRAINING}


def differences() -> list[tuple[str, tuple[str, str]]]:
    found = []
    for where, profiles in PROFILES.items():
        paper, corrected = (profiles[name].model_dump() for name in ("paper", "corrected"))
        for field in paper:
            if paper[field] != corrected[field] and not isinstance(paper[field], dict):
                found.append((f"`{where}.{field}`", (f"`{paper[field]}`", f"`{corrected[field]}`")))
    return found


@pytest.mark.parametrize(("name", "values"), differences(), ids=lambda value: str(value)[:40])
def test_every_difference_between_the_profiles_is_in_the_page(name: str, values: tuple[str, str]) -> None:
    assert ROWS.get(name) == values, f"{PAGE.name} needs a row for {name} with {values[0]} and {values[1]}"


def test_the_page_names_no_setting_that_is_gone() -> None:
    known = {name for name, _ in differences()}
    prefixes = tuple(f"`{where}." for where in PROFILES)
    assert {name for name in ROWS if name.startswith(prefixes)} <= known
