"""The torture run in small: `make torture` is the long one."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.s3_servers import skip_without_minio

MINUTES, CLIPS, DATASETS, SEED = 0.8, 100, 3, 19


@pytest.mark.exhaustive
def test_a_tortured_stack_loses_nothing_and_doubles_nothing(kafka_bootstrap: str, tmp_path: Path) -> None:
    skip_without_minio()
    options = {
        "minutes": MINUTES,
        "clips": CLIPS,
        "datasets": DATASETS,
        "poison": 0.05,
        "seed": SEED,
        "folder": tmp_path,
    }
    command = [sys.executable, "-m", "tests.torture", *(f"--{name}={value}" for name, value in options.items())]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
