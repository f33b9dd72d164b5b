"""The tests with the marker `gpu`, in several processes side by side, for `benchmarks/gpu.py`."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ENDED = re.compile(r"^(\S+?\.py::.*?) (PASSED|FAILED|ERROR|SKIPPED)", re.M)
PYTEST = [sys.executable, "-m", "pytest", "-m", "gpu", "-o", "filterwarnings=default", "-p", "no:cacheprovider"]
TEXT = 6000  # characters that are kept of the failures of a process


def run_gpu_tests(processes: int, deadline: float) -> dict[str, Any]:
    """Outcomes by file, and the failures' texts. What has not ended at `deadline` (by perf_counter) is killed."""
    tests = list_gpu_tests()[::-1]  # those of the trainer first: they take the longest
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / f"{number}.txt" for number in range(min(processes, len(tests)))]
        runs = [start_tests(tests[number :: len(outputs)], output) for number, output in enumerate(outputs)]
        try:
            while any(run.poll() is None for run in runs) and time.perf_counter() < deadline:
                time.sleep(0.1)
        finally:
            for run in runs:
                if run.poll() is None:
                    os.killpg(run.pid, signal.SIGKILL)  # with the processes that a test started
                    run.wait()
        texts = [output.read_text() for output in outputs]
    found = count_outcomes(tests, texts)
    return found | {f"failures {number}": text[-TEXT:] for number, text in enumerate(texts) if "= FAILURES" in text}


def list_gpu_tests() -> list[str]:
    """The names of all tests that need a GPU; files without the marker are not imported."""
    files = [file for file in sorted((ROOT / "tests").rglob("test_*.py")) if "pytest.mark.gpu" in file.read_text()]
    command = [*PYTEST, "--collect-only", "-q", *map(str, files)]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return [line for line in listed.splitlines() if ".py::" in line]


def start_tests(tests: list[str], output: Path) -> "subprocess.Popen[bytes]":
    """Some tests in a process that writes each outcome as soon as it is known."""
    with output.open("wb") as file:
        command = [*PYTEST, "-v", "--tb=short", *tests]
        return subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)


def count_outcomes(tests: list[str], texts: list[str]) -> dict[str, Any]:
    """For each file the numbers of tests that passed, failed, were skipped, and the names of those without outcome."""
    outcomes = dict(pair for text in texts for pair in ENDED.findall(text))
    found: dict[str, Any] = defaultdict(lambda: {"passed": 0, "failed": [], "skipped": 0, "not ended": []})
    for test in tests:
        file, _, name = test.partition("::")
        outcome = outcomes.get(test)
        if outcome in ("PASSED", "SKIPPED"):
            found[file][outcome.lower()] += 1
        else:
            found[file]["not ended" if outcome is None else "failed"].append(name)
    return dict(found)
