"""What a client asks to be trained, and the run that it means."""

from collections.abc import Iterable
from typing import Any

from fastapi import HTTPException
from pydantic import Field, JsonValue

from services.trainer.options import resolve_options
from services.trainer.runs import definition
from services.trainer.runs.state import PipelineSnapshot
from shared.dataset_progress import DatasetProgress
from shared.errors import BadData, Misconfigured
from shared.records import Dataset, FrozenModel, Run, RunContents

NOT_TRAINING_OPTIONS = {"datasets", "pipeline", "settings", "partial"}  # what is no matter of `choice.chosen`


class RunRequest(FrozenModel):
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

    def resolve_run(self, snapshot: PipelineSnapshot, device: str) -> tuple[Run, RunContents]:
        """Raises HTTPException: 404 for a dataset that nobody dropped, 409 for one that is not through, 422 for what
        makes no sense."""
        datasets = [self._find_dataset(snapshot, name) for name in self.datasets]
        try:
            choice = resolve_options(datasets[0].pipeline.profile, self._merged_options(), device)
            run, contents = definition.compose_run(
                [(each, self._require_ready(snapshot, each)) for each in datasets], choice, device
            )
            definition.list_folds(contents.features, choice)  # what could not be planned is refused here and now
        except (Misconfigured, BadData) as reason:
            raise HTTPException(422, str(reason)) from None
        return run, contents

    def _find_dataset(self, snapshot: PipelineSnapshot, name: str) -> Dataset:
        named = [each for each in snapshot.datasets.values() if each.name == name]
        found = [each for each in named if self.pipeline in (None, each.pipeline.digest)]
        if not named:
            there = _join_names(each.name for each in snapshot.datasets.values())
            raise HTTPException(404, f"No dataset {name!r} was dropped; there are {there}.")
        digests = _join_names(each.pipeline.digest for each in named)
        if not found:
            raise HTTPException(404, f"{name} was not dropped with pipeline {self.pipeline}; there are {digests}.")
        if len(found) > 1:
            raise HTTPException(422, f"{name} was dropped with several pipelines: say which of {digests}.")
        return found[0]

    def _require_ready(self, snapshot: PipelineSnapshot, dataset: Dataset) -> DatasetProgress:
        now = snapshot.progress_of(dataset)
        if now.is_ready or self.partial:
            return now.without_pending()
        missing = (
            f"{now.pending_count} of {now.clip_count} clips are under way" if now.pending_count else "more is expected"
        )
        later = 'Ask again later, or with "partial": true for what is there.'
        raise HTTPException(409, f"{dataset.name} is not through: {missing}. {later}")

    def _merged_options(self) -> dict[str, Any]:
        """Raises Misconfigured for what is said twice."""
        said = self.model_dump(exclude=NOT_TRAINING_OPTIONS, exclude_none=True)
        if twice := said.keys() & self.settings.keys():
            raise Misconfigured(f"{_join_names(twice)}: said both in `settings` and beside it; say it once.")
        return {**self.settings, **said}


def _join_names(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"
