"""Evaluation in Python: train and test models on a table of features, or on a whole dataset folder."""

import logging
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from services.trainer.data.features import Features
from services.trainer.report.model import Report
from shared.errors import Misconfigured

__all__ = ["Features", "Report", "evaluate", "load_features", "run"]

log = logging.getLogger(__name__)


def evaluate(
    samples_csv: Path | str,
    model: str = "linear",
    protocol: str = "loso",
    out: Path | str | None = None,
    seeds: int = 1,
    *,
    profile: str = "corrected",
    jobs: int = 1,
    faces: bool = False,
    **options: Any,
) -> Report:
    """Train and test a model and its baselines on your own features, as `mer train --features` does.

    samples_csv: a table with one row per clip, see docs/reference/samples-csv.md.
    out: run folder for the report and the trained folds. A second call there trains only what is missing. None: they
    are deleted after the call.
    seeds: trainings of each fold, with seeds from `seed` upwards.
    jobs: processes that train folds of a network side by side.
    options: other training options by name, for example seed=3, epochs=60, classes=("a", "b"), folds=10,
    test_subjects=("s1",), or any field of the table `train` in docs/reference/science-settings.md.

    Raises BadData for a faulty table or file, and for one person under two names unless distinct=True says that they
    are different people. Raises Misconfigured for an unknown option.
    """
    from merstream.embedded.training import job_on_table, resolve_table_options

    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            return evaluate(
                samples_csv, model, protocol, folder, seeds, profile=profile, jobs=jobs, faces=faces, **options
            )
    requested = {"model": model, "protocol": protocol, "seeds": seeds, **options}
    job = job_on_table(Path(samples_csv), Path(out), resolve_table_options(profile, requested))
    return job.write_report(job.load_plan(), jobs=_require_jobs(jobs), faces=faces)


def run(
    dataset: Path | str,
    out: Path | str,
    model: str | None = None,
    profile: str = "corrected",
    jobs: int | None = None,
    *,
    protocol: str = "loso",
    seeds: int = 1,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    reading: Mapping[str, Any] | None = None,
    faces: bool = False,
    **options: Any,
) -> Report:
    """Process a dataset folder through every stage, train and test a model, and write the report, as `mer run` does.

    dataset: a dataset as its owners distribute it, or a folder with a clips.csv, see docs/reference/datasets.md.
    out: run folder. It gets artifacts, logs and `report`. A second call there computes only what is missing.
    model: None stands for `fmer` with a GPU, else `fmer-lite`.
    jobs: processes, by default one per core. They do not run the calling script again, so it needs no
    `if __name__ == "__main__":`.
    settings: science settings of stages that differ from the profile, as in `merstream.extract_features`.
    reading: how to read the dataset: any of `prefer`, `corrections`, `labels`, `fps`, as in `mer run`.
    options: training options as in `merstream.evaluate`.

    A clip that fails is logged as a warning and left out. Raises BadData if no clip can be used, if there are too few
    subjects to train on, and for one person under two names unless distinct=True. Raises Misconfigured for unknown
    options, MissingWeights without model weights.
    """
    from merstream.embedded.features import ExtractedFeatures
    from merstream.embedded.pipeline import StageRun, run_stages
    from merstream.embedded.run_folder import Workspace
    from merstream.embedded.training import job_on_features
    from merstream.stages import build_pipeline
    from shared.device import choose_device
    from shared.training.options import resolve_options

    processes, folder = _require_jobs((os.cpu_count() or 1) if jobs is None else jobs), Path(out)
    pipeline = build_pipeline(profile, settings or {})
    requested = {"model": model, "protocol": protocol, "seeds": seeds, **options}
    training_options = resolve_options(profile, requested, choose_device())
    work = StageRun(Path(dataset), pipeline, _reading_options(reading or {}), protocol=training_options.protocol)
    outcome = run_stages(work, Workspace(folder), jobs=processes)
    for sentence in outcome.failures:
        log.warning("left out: %s", sentence)
    extracted = ExtractedFeatures(outcome.features, outcome.failures)
    job = job_on_features(extracted, [folder], training_options)
    return job.write_report(job.load_plan(), jobs=processes, faces=faces)


def load_features(out: Path | str | Sequence[Path | str]) -> Features:
    """The features of every clip of a run folder, or of several folders of one pipeline, as arrays.

    `arrays` holds them by name: patches [N,F,9,2,30,7,7], maps [N,F,3,28,28], clip [N,16,144,144,3]. `Features` lists
    the labels of the N clips. Clips without an emotion are left out.
    Raises BadData if a folder has no complete run, or if there are fewer than two emotions.
    """
    from merstream.embedded.features import load_extracted_features
    from merstream.embedded.run_folder import PooledStores, Workspace
    from services.trainer.sources.artifacts import load_plan_from_artifacts
    from shared.training.options import TrainingOptions
    from shared.training.protocol import ProtocolSettings
    from shared.training.settings import TrainSettings

    folders = [Path(out)] if isinstance(out, Path | str) else [Path(folder) for folder in out]
    records = load_extracted_features(folders).features
    store = PooledStores([Workspace(folder).folder / "store" for folder in folders])
    options = TrainingOptions(TrainSettings(), protocol=ProtocolSettings(distinct=True))  # nobody is tested here
    return load_plan_from_artifacts(records, store, options).features


def _reading_options(reading: Mapping[str, Any]) -> Any:
    from shared.inbox.reading_options import ReadingOptions

    try:
        return ReadingOptions(**reading)
    except TypeError:
        known = ", ".join(ReadingOptions.__dataclass_fields__)
        raise Misconfigured(f"Expected `reading` with some of {known}, got {', '.join(reading)}.") from None


def _require_jobs(jobs: int) -> int:
    if jobs < 1:
        raise Misconfigured(f"Expected jobs as a number of processes above 0, got {jobs}.")
    return jobs
