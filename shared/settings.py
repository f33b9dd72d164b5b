"""Operational settings, from the environment (`MER_*`): where things are and how a process behaves.

Science settings are not here; they travel in each record (`Pipeline`), so that a deployment serves many experiments.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import Misconfigured

# Read where no Settings can be at hand: the cache of weights, the compute device.
ALSO_KNOWN = frozenset({"MER_WEIGHTS_DIR", "MER_DEVICE"})


class Settings(BaseSettings):
    """One process's settings; built in `main`, passed down."""

    model_config = SettingsConfigDict(env_prefix="MER_", frozen=True, extra="forbid")

    home: Path = Field(Path("out"), description="folder of the embedded bus and store")
    port: int = Field(9100, ge=0, le=65535, description="port of /livez, /readyz and /metrics; 0 picks a free one")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    grace_seconds: float = Field(25, ge=0, description="seconds that work may go on after SIGTERM")
    retry_base_seconds: float = Field(0.5, gt=0, description="first wait after trouble, seconds; doubles")
    retry_cap_seconds: float = Field(30, gt=0, description="longest wait between two attempts, seconds")
    surprise_attempts: int = Field(3, ge=1, description="attempts at a record that fails in a way nobody foresaw")


def load(**overrides: Any) -> Settings:
    """Settings from the environment. Raises Misconfigured for a wrong value and for an unknown MER_ variable."""
    known = {f"MER_{name.upper()}" for name in Settings.model_fields} | ALSO_KNOWN
    unknown = sorted(name for name in os.environ if name.startswith("MER_") and name not in known)
    if unknown:
        raise Misconfigured(f"Unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"MER_{str(first['loc'][0]).upper()}"
        raise Misconfigured(f"{name}={first['input']!r}: {first['msg']}.") from None
