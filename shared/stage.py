"""A stage: names, settings per profile, and one pure function from arrays to arrays."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict

from shared.stage_arrays import ArtifactSpec

Arrays = Mapping[str, np.ndarray[Any, Any]]


class StageSettings(BaseModel):
    """Science settings of one stage. All of them enter the recipe. Subclasses give unit and source of each field."""

    model_config = ConfigDict(frozen=True, extra="forbid")


S = TypeVar("S", bound=StageSettings)


@dataclass(frozen=True)
class Stage(Generic[S]):
    """One step of the pipeline, independent of bus and store.

    `compute` gets the arrays of each stage in `reads`, by stage name, and the settings. Nothing else may shape its
    result, and equal inputs give equal bytes. Raise `version` when the result for equal inputs changes.
    """

    name: str
    version: int
    consumes: str
    reads: tuple[str, ...]
    produces: str
    profiles: Mapping[str, S]
    compute: Callable[[Mapping[str, Arrays], S], Arrays]
    arrays: Mapping[str, ArtifactSpec] = field(default_factory=dict)


def settings_for_profile(profile: str | S, profiles: Mapping[str, S]) -> S:
    """The settings of a profile, by its name. Settings are returned as they are. Raises ValueError."""
    if not isinstance(profile, str):
        return profile
    if profile not in profiles:
        raise ValueError(f"Unknown profile {profile!r}: expected one of {', '.join(sorted(profiles))}.")
    return profiles[profile]
