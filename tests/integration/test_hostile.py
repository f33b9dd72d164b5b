"""Hostile inputs in small: `make hostile` gives a thousand. And that its confinement would notice."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.confinement import Surroundings
from tests.hostile.trials import Finding, check_sentences

COUNT, SEED = 144, 19


@pytest.mark.exhaustive
def test_each_hostile_input_ends_in_a_sentence() -> None:
    command = [sys.executable, "-m", "tests.hostile", f"--count={COUNT}", f"--seed={SEED}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-10_000:]
    assert f"{COUNT} inputs, seed {SEED}" in done.stdout
    assert "findings: 0" in done.stdout


def test_a_file_outside_and_a_secret_inside_are_found(tmp_path: Path) -> None:
    inside = tmp_path / "a" / "inside"
    inside.mkdir(parents=True)
    around = Surroundings(tmp_path, inside)
    (inside / "own").write_text("anything")
    assert (around.describe_changes(), around.find_secret()) == ([], [])
    (tmp_path / "a" / "evil").write_text("evil")
    around.secret_file.write_text("changed")
    (inside / "copy").write_text(f"<{around.secret}>")
    changed = [str(tmp_path / "a" / "evil"), str(around.secret_file), str(around.secret_file)]
    assert (around.describe_changes(), around.find_secret()) == (changed, [str(inside / "copy")])


@pytest.mark.parametrize("client", ["socket.socket(socket.AF_INET)", "av.open('http://127.0.0.1:9/x')"])
def test_a_socket_of_the_internet_ends_the_process_from_c_too(client: str) -> None:
    code = (
        "import av, socket; from tests.hostile.confinement import forbid_network\n"
        f"print(forbid_network(), flush=True); socket.socketpair(); {client}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.stdout.startswith("False"):
        pytest.skip("this system has no filter for calls of the kernel")
    assert (done.stdout, done.returncode) == ("True\n", -31), done.stderr  # SIGSYS


@pytest.mark.parametrize(
    "sentence",
    [
        "Unexpected KeyError: 'onset'. Replay the record after a fix of the stage.",
        "d: expected a dataset that can be read, got BadZipFile: no. Correct it.",
        "a.csv: expected a file that can be read, got one whose reading was given up: its process ended, SIGSEGV",
        "x: stage 'ingest' needs more memory than this process can get (16 GiB).",
    ],
)
def test_a_sentence_about_what_nobody_planned_is_a_finding(sentence: str) -> None:
    assert check_sentences(["expected a whole image, got an empty file; copy it again."])
    with pytest.raises(Finding):
        check_sentences([sentence])
