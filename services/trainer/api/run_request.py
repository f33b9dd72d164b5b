"""What a client asks to be trained, and the run that it means."""

from collections.abc import Iterable
from typing import Any

from fastapi import HTTPException
from pydantic import Field, JsonValue

from services.trainer.options import chosen
from services.trainer.runs import definition
from services.trainer.runs.state import Known
from shared.dataset_progress import Standing
from shared.errors import BadData, Misconfigured
from shared.records import Dataset, Model, Run, RunContents

ELSEWHERE = {"datasets", "pipeline", "settings", "partial"}  # what is no matter of `choice.chosen`


class RunRequest(Model):
    """What is left out is as `mer train` has it; without a model the deployment's device chooses one."""

    datasets: tuple[str, ...] = Field(min_length=1, description="Names of dropped datasets, pooled.")
    pipeline: str | None = Field(None, description="Digest, where a dataset was dropped with several pipelines.")
    profile: str | None = Field(None, description="Training profile; default: that of the features.")
    model: str | None = Field(None, description="fmer, fmer-lite, linear, ...")
    protocol: str | None = Field(None, description="loso, ...; its further fields go into `settings`. Default: loso.")
    seed: int | None = Field(None, description="Seed of everything random.")
    seeds: int | None = Field(None, description="How often each fold is trained, with seeds from `seed` on.")
    classes: tuple[str, ...] | None = Field(None, description="Emotions to keep; default: all that occur.")
    settings: dict[str, JsonValue] = Field(
        {}, description="Any other field of training settings and protocol: epochs, ..."
    )
    partial: bool = Field(False, description="Do not wait: clips that are under way are left out, and named.")

    def run(self, known: Known, device: str) -> tuple[Run, RunContents]:
        """Raises HTTPException: 404 for a dataset that nobody dropped, 409 for one that is not through, 422 for what
        makes no sense."""
        datasets = [self._dataset(known, name) for name in self.datasets]
        try:
            choice = chosen(datasets[0].pipeline.profile, self._asked(), device)
            run, contents = definition.compose(
                [(each, self._standing(known, each)) for each in datasets], choice, device
            )
            definition.tasks(contents.features, choice)  # what could not be planned is refused here and now
        except (Misconfigured, BadData) as reason:
            raise HTTPException(422, str(reason)) from None
        return run, contents

    def _dataset(self, known: Known, name: str) -> Dataset:
        named = [each for each in known.datasets.values() if each.name == name]
        found = [each for each in named if self.pipeline in (None, each.pipeline.digest)]
        if not named:
            there = _listed(each.name for each in known.datasets.values())
            raise HTTPException(404, f"No dataset {name!r} was dropped; there are {there}.")
        digests = _listed(each.pipeline.digest for each in named)
        if not found:
            raise HTTPException(404, f"{name} was not dropped with pipeline {self.pipeline}; there are {digests}.")
        if len(found) > 1:
            raise HTTPException(422, f"{name} was dropped with several pipelines: say which of {digests}.")
        return found[0]

    def _standing(self, known: Known, dataset: Dataset) -> Standing:
        now = known.standing(dataset)
        if now.ready or self.partial:
            return now.as_it_is()
        missing = f"{now.waiting} of {len(dataset.clips)} clips are under way" if now.waiting else "more is expected"
        later = 'Ask again later, or with "partial": true for what is there.'
        raise HTTPException(409, f"{dataset.name} is not through: {missing}. {later}")

    def _asked(self) -> dict[str, Any]:
        """Raises Misconfigured for what is said twice."""
        said = self.model_dump(exclude=ELSEWHERE, exclude_none=True)
        if twice := said.keys() & self.settings.keys():
            raise Misconfigured(f"{_listed(twice)}: said both in `settings` and beside it; say it once.")
        return {**self.settings, **said}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"
