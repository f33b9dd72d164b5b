"""The body of `POST /runs`, and the run that it describes."""

from collections.abc import Iterable
from typing import Any

from fastapi import HTTPException
from pydantic import Field, JsonValue

from shared.dataset_progress import DatasetProgress
from shared.errors import BadData, Misconfigured
from shared.pipeline_state import PipelineSnapshot
from shared.records import Dataset, FrozenModel, Run
from shared.run_contents import RunContents
from shared.training import definition
from shared.training.options import MOST_SEEDS, resolve_options

NOT_TRAINING_OPTIONS = {"datasets", "pipeline", "settings", "partial"}  # fields that `resolve_options` does not read


class RunRequest(FrozenModel):
    """A training run. Fields that are left out have the defaults of `mer train`.

    The default model depends on the device of the deployment: fmer with a GPU, else fmer-lite.
    """

    datasets: tuple[str, ...] = Field(min_length=1, description="Names of uploaded datasets. Several are pooled.")
    pipeline: str | None = Field(None, description="Digest of the pipeline, if a dataset was uploaded with several.")
    profile: str | None = Field(None, description="Training profile. Default: the profile of the features.")
    model: str | None = Field(None, description="Name of a model, for example fmer, fmer-lite or linear.")
    protocol: str | None = Field(None, description="Name of a protocol, default loso. Its fields are settings.")
    seed: int | None = Field(None, ge=0, le=2**32 - 1001, description="Seed of all random numbers.")
    seeds: int | None = Field(
        None,
        ge=1,
        le=MOST_SEEDS,
        description="Number of trainings of each fold, with consecutive seeds from `seed` on.",
    )
    classes: tuple[str, ...] | None = Field(None, description="Emotions to train on. Default: all that occur.")
    settings: dict[str, JsonValue] = Field(
        {}, description="Any other training setting or field of the protocol, for example `epochs`."
    )
    partial: bool = Field(False, description="Do not wait for pending clips. The report names them.")

    def resolve_run(self, snapshot: PipelineSnapshot, device: str) -> tuple[Run, RunContents]:
        """The run and its contents. `require_folds` says whether it can be trained.

        Raises HTTPException: 404 for an unknown dataset, 409 if clips are pending, 422 for wrong options.
        """
        datasets = [self._find_dataset(snapshot, name) for name in self.datasets]
        try:
            options = resolve_options(datasets[0].pipeline.profile, self.merge_options(), device)
            return definition.compose_run(
                [(each, self._require_ready(snapshot, each)) for each in datasets], options, device
            )
        except (Misconfigured, BadData) as reason:
            raise HTTPException(422, str(reason)) from None

    def _find_dataset(self, snapshot: PipelineSnapshot, name: str) -> Dataset:
        named = [each for each in snapshot.datasets.values() if each.name == name]
        found = [each for each in named if self.pipeline in (None, each.pipeline.digest)]
        if not named:
            known = _join_names(each.name for each in snapshot.datasets.values())
            raise HTTPException(404, f"No dataset {name!r} was dropped; there are {known}.")
        digests = _join_names(each.pipeline.digest for each in named)
        if not found:
            raise HTTPException(404, f"{name} was not dropped with pipeline {self.pipeline}; there are {digests}.")
        if len(found) > 1:
            raise HTTPException(422, f"{name} was dropped with several pipelines; set `pipeline` to one of {digests}.")
        return found[0]

    def _require_ready(self, snapshot: PipelineSnapshot, dataset: Dataset) -> DatasetProgress:
        progress = snapshot.progress_of(dataset)
        if progress.is_ready or self.partial:
            return progress.without_pending()
        missing = (
            f"{progress.pending_count} of {progress.clip_count} clips have no features yet"
            if progress.pending_count
            else "more clips are expected"
        )
        advice = 'Ask again later, or set "partial": true to train on the clips that have features.'
        raise HTTPException(409, f"{dataset.name} is not complete: {missing}. {advice}")

    def merge_options(self) -> dict[str, Any]:
        """All training options. Raises Misconfigured for an option that is given twice."""
        options = self.model_dump(exclude=NOT_TRAINING_OPTIONS, exclude_none=True)
        if twice := options.keys() & self.settings.keys():
            raise Misconfigured(f"{_join_names(twice)}: given both in `settings` and beside it; give it once.")
        return {**self.settings, **options}


def require_folds(run: Run, contents: RunContents) -> int:
    """The number of folds. Takes long for thousands of clips. Raises HTTPException 422 if the run cannot be planned."""
    try:
        return len(definition.list_folds(contents.features, definition.options_of_run(contents, run.contents_key)))
    except BadData as reason:
        raise HTTPException(422, str(reason)) from None


def _join_names(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names))) or "none"
