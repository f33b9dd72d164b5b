"""The script for a GPU runs whole on a CPU with tiny sizes, and loses no figure when a part fails or takes too long."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import gpu, gpu_bundle, gpu_parts, gpu_tests, gpu_training
from benchmarks.common import GPU_RATIO as RATIO
from benchmarks.gpu import GpuReport, run_parts
from benchmarks.gpu_features import load_features, save_features
from benchmarks.gpu_timing import Part, Setup
from benchmarks.training import random_features

ROOT = Path(gpu.__file__).parents[1]
# What each part must have measured: the ends of names of figures.
EXPECTED_FIGURES = {
    "tests": ["test_torch_flow.py", "test_rife.py", "test_training_on_gpu.py"],
    "flow": [f"corrected, batch 3, {RATIO}", f"the stage, torch, a clip, {RATIO}", "difference to exact px", "a batch"],
    "fmer": [f"{model} {precision}, {RATIO}" for model in gpu_training.MODELS for precision in gpu_training.PRECISIONS],
    "folds": ["fmer-lite, 2 at a time, gain"],
    "loso": ["fmer float32, whole, extrapolated", "fmer-lite, whole, 1 at a time"],
    "rife": [f"float32, a clip of 7 frames, {RATIO}", f"bfloat16, a clip of 7 frames, {RATIO}"],
    "magnet": [f"a clip, {RATIO}", "difference to the CPU, grey levels"],
}


@pytest.mark.exhaustive
def test_every_part_runs_without_a_gpu(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    command = [sys.executable, "benchmarks/gpu.py", "--device", "cpu", "--small", "--minutes", "30", "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": "."}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert {name: part["status"] for name, part in found["parts"].items()} == dict.fromkeys(gpu_parts.PARTS, "done")
    assert list(EXPECTED_FIGURES) == list(gpu_parts.PARTS)
    for part, names in EXPECTED_FIGURES.items():
        figures = found["parts"][part]["figures"]
        assert [name for name in names if not any(figure.endswith(name) for figure in figures)] == []
        assert all(value > 0 for figure, value in figures.items() if figure.endswith(RATIO))
    tests = found["parts"]["tests"]["figures"].values()
    assert sum(each["passed"] + each["skipped"] for each in tests) >= 60
    assert [each["failed"] + each["not ended"] for each in tests] == [[]] * len(tests)
    assert found["parts"]["folds"]["figures"]["fmer-lite, 2 at a time, outcomes are equal"] is True
    assert found["machine"]["device"] == "cpu"
    assert found["seconds"] > sum(part["seconds"] for part in found["parts"].values()) * 0.9


def measure_something(setup, record, deadline):
    record("figure", 1)


def fail_after_a_figure(setup, record, deadline):
    record("figure", 2)
    raise ZeroDivisionError("on purpose")


def measure_for_ever(setup, record, deadline):
    record("figure", 3)
    while True:
        time.sleep(0.1)


@pytest.fixture
def report(tmp_path: Path) -> GpuReport:
    return GpuReport(tmp_path / "gpu.json", {"parts": {}})


def test_a_part_that_fails_or_never_ends_leaves_its_figures_and_the_next_ones_run(monkeypatch, report):
    parts = {
        "fails": Part(fail_after_a_figure, 3),
        "endless": Part(measure_for_ever, 1),
        "works": Part(measure_something, 3),
    }
    monkeypatch.setattr(gpu_parts, "PARTS", parts)
    assert run_parts(report, list(parts), Setup("cpu"), 9) == []
    stored = json.loads(report.file.read_text())["parts"]
    assert [part["figures"]["figure"] for part in stored.values()] == [2, 3, 1]
    assert "ZeroDivisionError: on purpose" in stored["fails"]["status"]
    assert [stored[name]["status"] for name in ("endless", "works")] == ["time spent", "done"]


def test_without_time_a_part_is_skipped_and_said_so(monkeypatch, report):
    monkeypatch.setattr(gpu_parts, "PARTS", {"works": Part(measure_something, 1)})
    run_parts(report, ["works"], Setup("cpu"), 0.5)
    stored = json.loads(report.file.read_text())["parts"]
    assert stored == {"works": {"figures": {}, "status": "skipped: no time was left", "seconds": 0}}


def test_a_figure_is_in_the_file_at_once(report):
    report.record("flow", "pairs", 9)
    assert json.loads(report.file.read_text())["parts"]["flow"]["figures"] == {"pairs": 9}


def test_a_whole_run_is_extrapolated_from_epochs_with_its_error():
    found = gpu_training.extrapolate_epochs(
        [np.array([2.0, 4.0]), np.array([4.0, 6.0])], [1.0, 3.0], scale=10, epochs=6
    )
    assert found["minutes"] == pytest.approx(10 * (6 * 4 + 2) / 60, rel=1e-3)
    assert found["minutes, deviation between repeats"] == pytest.approx(10 * 6 * 2**0.5 / 60, rel=1e-3)
    assert found["minutes, if epochs differ as the last from the first"] == pytest.approx(10 * 6 * 2 / 60, rel=1e-3)


def test_features_travel_with_their_labels_and_nearly_their_values(tmp_path):
    features = random_features(2, 3)
    features = replace(features, arrays={**features.arrays, "patches": 20 * features.arrays["patches"]})
    save_features(features, tmp_path)
    found, about = load_features(tmp_path)
    assert about == {}
    assert found.array_names == ("patches", "maps")
    np.testing.assert_allclose(found.arrays["patches"], features.arrays["patches"], atol=0.5001 / 512)
    np.testing.assert_allclose(found.arrays["maps"], features.arrays["maps"], rtol=1e-3, atol=1e-6)
    for name in ("factors", "emotions", "aus", "au_coded", "subjects", "names"):
        assert np.array_equal(getattr(found, name), getattr(features, name)), name
    assert load_features(tmp_path / "nowhere") is None


@pytest.mark.parametrize("package", gpu_bundle.PACKAGES)
def test_packages_of_the_bundle_are_locked_with_hashes(package):
    entry = gpu_bundle.find_locked_entry((ROOT / "requirements" / "dev.txt").read_text(), package)
    first, *hashes = entry.rstrip().replace("\\", "").splitlines()
    assert first.startswith(f"{package}==")
    assert hashes
    assert all(line.strip().startswith("--hash=sha256:") for line in hashes)


def test_the_script_needs_no_package_that_is_neither_in_the_bundle_nor_on_such_a_machine():
    absent = ["av", "_dlib_pybind11", "fastapi", "kafka", "minio", "uvicorn"]
    code = f"import sys; sys.modules |= dict.fromkeys({absent}); import benchmarks.gpu"  # None: no import finds it
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_drawn_dataset_is_as_large_as_casme_ii():
    assert (len(gpu_bundle.CLIPS_BY_SUBJECT), sum(gpu_bundle.CLIPS_BY_SUBJECT)) == (26, 246)


def test_the_floor_of_convolutions_is_the_longer_of_arithmetic_and_traffic() -> None:
    """Windows of 3 x 3 from [1, 2, 8, 8] to [1, 4, 6, 6]: result, gradient of the image, gradient of the weights."""
    image = torch.randn(1, 2, 8, 8, requires_grad=True)
    weight = torch.randn(4, 2, 3, 3, requires_grad=True)

    def convolve() -> None:
        torch.nn.functional.conv2d(image, weight).sum().backward()

    flops, traffic = 2 * 4 * 36 * 18, 4 * (128 + 72 + 144)
    slow_units = gpu_training.ConvolutionFloor.measure(convolve, {"bf16": 1.0, "bytes": 1e9})
    assert (slow_units.flops, slow_units.seconds) == (3 * flops, 3 * flops)
    slow_memory = gpu_training.ConvolutionFloor.measure(convolve, {"bf16": 1e9, "bytes": 1.0})
    assert slow_memory.seconds == 3 * traffic


def test_outcomes_of_tests_are_counted_by_file_and_those_without_one_are_named() -> None:
    tests = ["tests/a.py::test_one[x y]", "tests/a.py::test_two", "tests/b.py::test_three", "tests/b.py::test_four"]
    texts = [
        "tests/a.py::test_one[x y] PASSED   [ 50%]\ntests/b.py::test_three FAILED [100%]\n= FAILURES =\n",
        "tests/a.py::test_two SKIPPED (needs an NVIDIA GPU)\ntests/b.py::test_four ",
    ]
    assert gpu_tests.count_outcomes(tests, texts) == {
        "tests/a.py": {"passed": 1, "failed": [], "skipped": 1, "not ended": []},
        "tests/b.py": {"passed": 0, "failed": ["test_three"], "skipped": 0, "not ended": ["test_four"]},
    }


def test_a_run_of_some_parts_keeps_the_others_of_the_same_device(tmp_path: Path) -> None:
    file, machine = tmp_path / "gpu.json", {"device": "NVIDIA H200", "versions": {"torch": "2.11.0"}, "load": 1}
    assert gpu.read_other_parts(file, machine) == {}
    file.write_text(json.dumps({"machine": machine, "parts": {"flow": {"seconds": 3}}}))
    assert gpu.read_other_parts(file, machine | {"load": 2}) == {"flow": {"seconds": 3}}
    assert gpu.read_other_parts(file, machine | {"device": "NVIDIA H100"}) == {}
    assert gpu.read_other_parts(file, machine | {"versions": {"torch": "2.12.0"}}) == {}
