"""`mer console` as typed: the pages of a run's folder, until Ctrl-C."""

import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from merstream.embedded.run_folder import Workspace
from shared.errors import Misconfigured
from tests.unit.console.drawn_stack import publish_dataset, publish_letters
from tests.unit.trainer.conftest import drawn_table, loso_run

__all__ = ["drawn_table", "loso_run"]
LIMIT_SECONDS = 300


def open_page(address: str, path: str) -> str:
    request = urllib.request.Request(f"{address}{path}", headers={"Accept": "text/html"})
    with urllib.request.urlopen(request, timeout=LIMIT_SECONDS) as answer:
        return str(answer.read().decode())


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_run_is_shown_and_nothing_is_changed(ending: signal.Signals, loso_run: Path, tmp_path: Path) -> None:
    out = Workspace(tmp_path / "out")
    shutil.copytree(loso_run, out.folder)
    bus, store = out.open_bus(), out.open_store()
    publish_dataset(bus, store, "lab", features=2)
    publish_letters(bus, store, 3)
    bus.close()
    command = [sys.executable, "-m", "merstream", "console", str(out.folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        (run,) = re.findall('"(/runs/[0-9a-f]{32})"', open_page(address, "/runs"))
        assert "Open the report" in open_page(address, run)
        assert f"mer run DATASET --out {out.folder}" in open_page(address, "/dead-letters")
        assert 'class="badge">3<' in open_page(address, "/")
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(urllib.request.Request(f"{address}/runs", b"{}"), timeout=LIMIT_SECONDS)
        assert refusal.value.code == 405
        refusal.value.close()
        process.send_signal(ending)
        said = process.stderr.read()
        assert (process.wait(LIMIT_SECONDS), said) == (0, "")


def test_a_dataset_is_removed_from_the_folder(loso_run: Path, tmp_path: Path) -> None:
    out = Workspace(tmp_path / "out")
    shutil.copytree(loso_run, out.folder)
    bus = out.open_bus()
    publish_dataset(bus, out.open_store(), "other", features=2)
    publish_letters(bus, out.open_store(), 3)
    bus.close()
    command = [sys.executable, "-m", "merstream", "console", str(out.folder), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+", process.stderr.readline())
        assert "other" in open_page(address, "/datasets")
        form = urllib.request.Request(
            f"{address}/withdrawals", b"dataset=other&subject=", {"Accept": "text/html"}, method="POST"
        )
        with urllib.request.urlopen(form, timeout=LIMIT_SECONDS) as answer:
            asked = answer.url.removeprefix(address)
        while "is in work" in (page := open_page(address, asked)):
            time.sleep(0.1)
        assert "other: removed 2 clips" in page
        assert 'href="/datasets/other"' not in open_page(address, "/datasets")
        process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT_SECONDS) == 0


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from merstream.app import app

    done = CliRunner().invoke(app, ["console", str(tmp_path)])
    assert isinstance(done.exception, Misconfigured)
    assert "folder of a run" in str(done.exception)
    assert list(tmp_path.iterdir()) == []
