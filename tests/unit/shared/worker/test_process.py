"""`serve` as a process of its own: what ends it, with which code and words, and what its probes say."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.process import free_port

PATIENCE_SECONDS = 60
PROGRAM = """
import os, sys, threading
from shared.errors import Misconfigured
from shared.worker.process import serve_loops

class Loop:
    def __init__(self, name, act, stopping):
        self.name, self.act, self.stopping = name, act, stopping

    def run(self):
        self.say("began")
        self.act(self)
        self.say("ended")

    def say(self, what):  # two threads' prints tear each other's lines, a write to a pipe is whole
        os.write(1, (self.name + " " + what + "\\n").encode())

    def is_ready(self):
        return self.name != "late"

    def is_stalled(self):
        return self.name == "stuck"

def waits(loop): loop.stopping.wait()
def refuses(loop): raise Misconfigured("no bucket; make one")
def breaks(loop): raise ZeroDivisionError("division by zero")
def never_ends(loop): threading.Event().wait()

def build(settings, bus, store, metrics, stopping):
    return [Loop(name, globals()[act], stopping) for name, act in (given.split("=") for given in sys.argv[1:])]

serve_loops(build)
"""


@contextmanager
def process(folder: Path, *loops: str, **settings: object) -> Iterator["subprocess.Popen[str]"]:
    """Loops are NAME=ACT."""
    given = {"home": folder, "port": 0, "log_level": "WARNING"} | settings
    environment = os.environ | {f"MER_{name.upper()}": str(value) for name, value in given.items()}
    command = [sys.executable, "-c", PROGRAM, *loops]
    started = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[4],
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def until_begun(started: "subprocess.Popen[str]", loops: int) -> None:
    assert started.stdout is not None
    for _ in range(loops):
        assert "began" in started.stdout.readline()


@pytest.mark.parametrize(("act", "message"), [("refuses", "no bucket; make one"), ("breaks", "division by zero")])
def test_a_loop_that_fails_ends_the_process_with_code_2_and_one_line(tmp_path: Path, act: str, message: str) -> None:
    with process(tmp_path, "good=waits", f"bad={act}") as started:
        said, logged = started.communicate(timeout=PATIENCE_SECONDS)
    assert started.returncode == 2
    assert "good ended" in said, "the other loop is told to stop"
    (line,) = logged.splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"]) == ("ERROR", message)
    assert ("Traceback" in told.get("exception", "")) == (act == "breaks"), "a sentence of ours needs no traceback"


def test_sigterm_ends_every_loop_and_the_process_with_code_0(tmp_path: Path) -> None:
    with process(tmp_path, "one=waits", "two=waits") as started:
        until_begun(started, 2)
        started.send_signal(signal.SIGTERM)
        said, logged = started.communicate(timeout=PATIENCE_SECONDS)
    assert (started.returncode, logged) == (0, "")
    assert sorted(said.splitlines()) == ["one ended", "two ended"]


def test_a_loop_that_does_not_end_has_the_grace_period(tmp_path: Path) -> None:
    with process(tmp_path, "deaf=never_ends", grace_seconds=0.3) as started:
        until_begun(started, 1)
        started.send_signal(signal.SIGTERM)
        said, _ = started.communicate(timeout=PATIENCE_SECONDS)
    assert (started.returncode, said) == (0, "")


@pytest.mark.parametrize(
    ("loops", "live", "ready"),
    [(["one", "two"], 200, 200), (["one", "late"], 200, 503), (["stuck", "two"], 503, 503)],
)
def test_the_probes_speak_for_all_loops(tmp_path: Path, loops: list[str], live: int, ready: int) -> None:
    port = free_port()
    with process(tmp_path, *[f"{name}=waits" for name in loops], port=port) as started:
        until_begun(started, 2)
        assert (status(port, "/livez"), status(port, "/readyz")) == (live, ready)
        assert status(port, "/metrics") == 200


def test_an_unknown_setting_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with process(tmp_path, "one=waits", kafak_servers="x") as started:
        said, logged = started.communicate(timeout=PATIENCE_SECONDS)
    assert (started.returncode, said) == (2, "")
    assert json.loads(logged)["message"].startswith("Unknown settings MER_KAFAK_SERVERS")


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
