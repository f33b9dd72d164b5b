"""The `mer` command as a person types it, on a tiny synthetic dataset with every real stage."""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import cv2
import numpy as np
import pytest

import merstream
from merstream import synth
from merstream.app import main
from merstream.embedded.features import load_extracted_features
from merstream.embedded.run_folder import Workspace
from shared.worker.stage_handler import read_artifact

SHORT = synth.Difficulty(duration=(0.05, 0.08))  # onset to offset, s
SMALL_SETTINGS = {"ingest": {"height": 112, "width": 96}, "magnifier": {"factors": [2.0]}}
SMALL = ["--set", "ingest.height=112", "--set", "ingest.width=96", "--set", "magnifier.factors=[2.0]"]


def mer(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """`main` in this process: most of a short command's time is its imports."""
    command, stdout, stderr = list(map(str, arguments)), io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as end:
        main(command)
    return subprocess.CompletedProcess(command, int(end.value.code or 0), stdout.getvalue(), stderr.getvalue())


def mer_process(*arguments: object, **more: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "merstream", *map(str, arguments)]
    environment = os.environ | {"COLUMNS": "120", "NO_COLOR": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, capture_output=True, text=True, env=environment, **more)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "Gesichter für β"
    synth.write_dataset(folder, subjects=3, clips=2, seed=1, size=(240, 320), difficulty=SHORT)
    return folder


@pytest.fixture(scope="module")
def finished(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to the report; one clip's folder holds a text file among its frames."""
    out = tmp_path_factory.mktemp("out")
    broken = sorted((dataset / "CASME2_RAW_selected" / "sub01").iterdir())[0]
    frames = sorted(broken.iterdir(), key=lambda file: int(re.sub(r"\D", "", file.stem)))
    frames[len(frames) // 2].write_text("not a picture")
    done = mer_process("run", dataset, "--out", out, "--epochs", 2, "--seed", 7, "--jobs", 2, *SMALL)
    assert done.returncode == 0, done.stderr
    assert f"{frames[len(frames) // 2].name}" in done.stderr, "the broken frame is named"
    assert "5 clips have features, 1 were left out." in done.stderr
    assert "leave-one-subject-out" in done.stdout
    return out


def test_the_report_holds_every_figure(finished: Path) -> None:
    report = json.loads((finished / "report" / "report.json").read_text())
    assert (report["seed"], report["data"]["samples"], report["data"]["subjects"]) == (7, 5, 3)
    assert set(report["baselines"]) == {"majority", "linear"}
    assert np.sum(report["result"]["confusion"]) == 5
    rows = list(csv.DictReader((finished / "report" / "predictions.csv").read_text().splitlines()))
    assert Counter(row["learner"] for row in rows) == dict.fromkeys((report["model"], "majority", "linear"), 5)
    page = (finished / "report" / "report.html").read_text()
    assert page.count("<img") >= 1 + 2 * (report["mistakes"]["total"] > 0), "curves; the key and a clip's motion"
    assert not re.search(r"""(?:src|href)=["']https?:""", page), "the page stands alone"


def test_report_prints_what_was_written(finished: Path) -> None:
    done = mer("report", "--out", finished)
    report = json.loads((finished / "report" / "report.json").read_text())
    assert f"{report['result']['uf1']:.3f}" in done.stdout
    assert "truth \\ predicted" in done.stdout


def test_show_writes_a_picture_per_stage(finished: Path, tmp_path: Path) -> None:
    done = mer("show", "02/EP01_01", "--out", finished, "--to", tmp_path)
    assert done.returncode == 0, done.stderr
    pictures = {file.name: cv2.imread(str(file)) for file in tmp_path.iterdir()}
    assert [name.split("-")[-1] for name in sorted(pictures)] == [
        "clip.png", "timeline.png", "magnified.png", "flow.png", "rois.png",
    ]  # fmt: skip
    assert all(picture is not None and picture.std() > 10 for picture in pictures.values())


def test_show_names_the_clips_there_are(finished: Path) -> None:
    done = mer("show", "EP99", "--out", finished)
    assert done.returncode == 1
    assert "No clip 'EP99'" in done.stderr
    assert "03/EP01_01" in done.stderr


def test_train_again_with_another_learner(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    done = mer("train", "--out", copy, "--model", "linear", "--seed", 1, "--jobs", 1)
    assert done.returncode == 0, done.stderr
    assert json.loads((copy / "report" / "report.json").read_text())["model"] == "linear"


def test_python_gives_the_bytes_that_the_run_has_stored(dataset: Path, finished: Path) -> None:
    records = load_extracted_features([finished]).features
    record = next(each for each in records if each.sample.subject == "02")
    sample, folder = record.sample, dataset / "CASME2_RAW_selected" / "sub02" / record.sample.clip
    numbers = range(sample.onset, sample.offset + 1)
    frames = np.stack([cv2.imread(str(folder / f"img{number}.jpg"))[..., ::-1] for number in numbers])
    assert sample.apex is not None
    marks = 0, sample.apex - sample.onset, len(frames) - 1
    features = merstream.extract_features(frames, *marks, sample.fps, settings=SMALL_SETTINGS)
    stored = read_artifact(Workspace(finished).open_store(), record.artifact, "features")
    assert {name: getattr(features, name).tobytes() for name in stored} == {
        name: array.tobytes() for name, array in stored.items()
    }


def test_a_script_without_a_guard_runs_everything(dataset: Path, finished: Path, tmp_path: Path) -> None:
    copy, script = tmp_path / "copy", tmp_path / "script.py"
    shutil.copytree(finished, copy)
    script.write_text(
        "import merstream\n"
        f"dataset, out, settings = {str(dataset)!r}, {str(copy)!r}, {SMALL_SETTINGS}\n"
        "report = merstream.run(dataset, out, 'ststnet', jobs=2, settings=settings, epochs=1)\n"
        "held = merstream.load_features(out)\n"
        "print(report.model, f'{report.result.uf1:.6f}', len(held), held.arrays['patches'].shape[1:])\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    written = json.loads((copy / "report" / "report.json").read_text())
    assert done.stdout == f"ststnet {written['result']['uf1']:.6f} 5 (1, 9, 2, 30, 7, 7)\n"
    assert done.stderr.count("left out: ") == 1


def test_too_few_people_to_train_on_keeps_the_features(dataset: Path, finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    one = tmp_path / "one" / dataset.name
    shutil.copytree(dataset, one)
    for other in ("sub01", "sub03"):
        shutil.rmtree(one / "CASME2_RAW_selected" / other)
    done = mer("run", one, "--out", copy, "--jobs", 1, *SMALL)
    assert done.returncode == 1
    assert "2 clips have features, 4 were left out." in done.stderr
    assert "--no-train ends a run before training" in done.stderr


def test_ctrl_c_stops_cleanly_and_leaves_no_process(dataset: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "merstream", "run", str(dataset), "--out", str(tmp_path), "--no-train"]
    command += ["--jobs", "2"]
    running = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hears_ctrl_c
    )
    while not list((tmp_path / "logs").glob("*.jsonl") if (tmp_path / "logs").exists() else []):
        assert running.poll() is None
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate()
    assert running.returncode == 130, said
    assert said.count("Stopped. The same command continues where it stopped.") == 1
    deadline = time.monotonic() + 300
    while (left := workers_of(running.pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def hears_ctrl_c() -> None:
    """A shell starts what it puts into the background deaf to it, and children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def workers_of(group: int) -> list[str]:
    """What still runs in a process group (a zombie runs no more)."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [args for pgid, state, args in rows if int(pgid) == group and not state.startswith("Z")]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["run", "nowhere"], 1, "expected a dataset folder, got nothing there"),
        (["run", ".", "--set", "flow.sovler=exact"], 2, "flow has no setting 'sovler'"),
        (["run", ".", "--set", "flow=exact"], 2, "--set flow=exact: expected STAGE.FIELD=VALUE"),
        (["report", "--out", "nowhere"], 1, "expected a report, got none"),
        (["report", "--out", "[raw]"], 1, "[raw]/report/report.json: expected a report"),
        (["train", "--out", "nowhere"], 1, "expected the folder of an earlier run, got none"),
        (["rerun", "nowhere/run.json"], 1, "nowhere/run.json: expected a run.json, got No such file"),
        (["weights", "none"], 2, "No weights 'none'. Expected one of rife-hdv3, dlib-68"),
    ],
)
def test_a_wrong_command_is_one_sentence(
    arguments: list[str], code: int, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = mer(*arguments)
    assert done.returncode == code
    assert sentence in done.stderr


def test_a_wrong_command_ends_its_process_with_a_code_and_no_traceback(tmp_path: Path) -> None:
    done = mer_process("report", "--out", "nowhere", cwd=tmp_path)
    assert done.returncode == 1
    assert "expected a report, got none" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_weights_are_one_sentence(dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_WEIGHTS_DIR", str(tmp_path / "none"))
    done = mer("run", dataset, "--out", tmp_path / "out", "--jobs", 1, *SMALL)
    assert done.returncode == 2
    assert "Run `mer weights rife-hdv3`" in done.stderr


COMMANDS = ["demo", "synth", "run", "drop", "train", "rerun", "report", "status", "show", "doctor", "weights"]


@pytest.mark.parametrize("command", [*COMMANDS, "stack train", "dead-letters list", "dead-letters discard"])
def test_every_command_teaches(command: str) -> None:
    done = mer(*command.split(), "--help")
    assert done.returncode == 0
    assert len(done.stdout) > 300
