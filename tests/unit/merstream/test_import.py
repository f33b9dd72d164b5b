"""`import merstream`: fast, typed, and without the libraries of any stage; spawned processes without the script."""

import subprocess
import sys
from pathlib import Path

import pytest

import merstream

ROOT = Path(__file__).parents[3]
HEAVY = ("torch", "dlib", "numba", "cv2", "kafka", "minio", "numpy", "pydantic")
MOST_SECONDS = 1.0  # of CPU time; a hundred times what it takes


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_import_loads_no_library_and_takes_no_time() -> None:
    code = (
        "import sys, time; start = time.process_time(); import merstream; took = time.process_time() - start\n"
        f"print(took < {MOST_SECONDS}, sorted(set({HEAVY}) & set(sys.modules)))"
    )
    assert run_python(code) == "True []"


@pytest.mark.parametrize(
    ("call", "absent"),
    [
        ("merstream.magnify(numpy.zeros((2, 32, 32, 3), numpy.uint8))", ("torch", "dlib", "numba", "kafka")),
        ("merstream.optical_flow(*numpy.zeros((2, 32, 32), numpy.uint8))", ("torch", "dlib", "kafka")),
    ],
)
def test_a_function_loads_what_it_needs(call: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, numpy, merstream\n{call}\nprint(sorted(set({absent}) & set(sys.modules)))"
    assert run_python(code) == "[]"


def test_every_public_name_is_there_and_no_other() -> None:
    assert [getattr(merstream, name).__name__ for name in merstream.__all__] == merstream.__all__
    assert set(merstream.__all__) <= set(dir(merstream))
    with pytest.raises(AttributeError, match="no attribute 'magnifi'"):
        _ = merstream.magnifi
    assert (Path(merstream.__file__).parent / "py.typed").exists()


def test_spawned_processes_do_not_run_the_script_again(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import multiprocessing, os\n"
        "from merstream.caller_script import hide_caller_script\n"
        "print('script', flush=True)\n"
        "with hide_caller_script():\n"
        "    process = multiprocessing.get_context('spawn').Process(target=print, args=('child',))\n"
        "    process.start()\n"
        "process.join()\n"
        "import __main__\n"
        "print(__main__.__file__ == os.path.abspath(__file__), process.exitcode)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n") == ["script", "child", "True 0", ""]
