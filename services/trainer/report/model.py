"""A minimal stand-in until the typed report is merged: the figures that `merstream.Report` promises."""

from typing import Self

from pydantic import BaseModel, ConfigDict


class PooledFigures(BaseModel):
    """The scores of one learner, predictions pooled over all folds."""

    model_config = ConfigDict(frozen=True, extra="allow")

    uf1: float
    uar: float
    accuracy: float


class Report(BaseModel):
    """Everything that a report says."""

    model_config = ConfigDict(frozen=True, extra="allow")

    model: str
    seed: int
    result: PooledFigures
    baselines: dict[str, PooledFigures]

    @classmethod
    def decode(cls, data: bytes, location: str) -> Self:
        return cls.model_validate_json(data)
