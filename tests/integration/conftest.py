"""One drawn dataset, and one embedded run of it, for all tests of this folder."""

from dataclasses import dataclass

import pytest

from merstream import synth
from merstream.embedded.pipeline import StageRun, run_stages
from merstream.embedded.run_folder import Workspace
from shared.records import Pipeline

# Small frames and short clips: what these tests hold does not depend on either.
FRAME_SIZE = (240, 320)  # rows, columns, px
SHORT = synth.Difficulty(duration=(0.05, 0.08))  # onset to offset, s


@dataclass(frozen=True)
class EmbeddedRun:
    """An undisturbed run of one worker process. Tests copy its folder before they change anything there."""

    asked: StageRun  # of one person's two clips
    workspace: Workspace


@pytest.fixture(scope="session")
def embedded_run(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedRun:
    folder = tmp_path_factory.mktemp("embedded")
    synth.write_dataset(folder / "synth", subjects=1, clips=2, seed=5, size=FRAME_SIZE, difficulty=SHORT)
    pipeline = Pipeline(overrides={"ingest": {"height": 112, "width": 96}, "magnifier": {"factors": [2.0]}})
    run = EmbeddedRun(StageRun(folder / "synth", pipeline), Workspace(folder / "out"))
    assert len(run_stages(run.asked, run.workspace, jobs=1).features) == 2
    return run
