"""A stack with a watched video, and the process that recognises it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.trainer.service.video_lab import VideoLab
from tests.unit.trainer.service.videos.recogniser_process import Recogniser


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[VideoLab]:
    lab = VideoLab(tmp_path / "lab")
    yield lab
    lab.bus.close()


@pytest.fixture
def one(lab: VideoLab) -> Iterator[Recogniser]:
    one = Recogniser(lab.home)
    yield one
    one.close()
