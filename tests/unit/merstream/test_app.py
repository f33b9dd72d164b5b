"""The `mer` command as a whole: what it imports, how it ends, which options it has."""

import errno
import subprocess
import sys
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
import typer.main

from merstream import app
from merstream.commands import weights
from shared.errors import BadData, Misconfigured
from shared.storage_faults import CONTINUES

FULL = f"No space left on device. Free space there. {CONTINUES}"
MEMORY = (
    "This command needs more memory than this process can get (1 GiB). Give the process more memory, or make the "
    "frames smaller or the clip shorter."
)
POOL = "as it does when memory runs out. Use fewer --jobs."
HEAVY = ("torch", "cv2", "dlib", "numba", "kafka", "minio", "sklearn", "matplotlib")


def mer(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        app.main(list(map(str, arguments)))
    return int(ended.value.code or 0)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["stack", "train", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from merstream.app import app\n"
        f"try: app({arguments})\nexcept SystemExit as end: assert not end.code\n"
        f"print(sorted(set({HEAVY}) & set(sys.modules)), file=sys.stderr)"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (BadData("Expected [a], got b."), 1, "mer: Expected [a], got b."),
        (Misconfigured("No such thing."), 2, "mer: No such thing."),
        (OSError(errno.ENOSPC, "x", "out/x"), 1, f"mer: out/x: {FULL}"),
        (MemoryError("1 GiB"), 1, f"mer: {MEMORY} Then process it again. {CONTINUES}"),
        (BrokenProcessPool("died"), 1, f"mer: A process was killed by the system, {POOL} {CONTINUES}"),
        (KeyboardInterrupt(), 130, "Stopped. The same command continues where it stopped."),
    ],
)
def test_a_deliberate_error_and_ctrl_c_are_one_sentence(
    error: BaseException,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_weights: object) -> Path:
        raise error

    monkeypatch.setattr(weights, "fetch_weights", fail)
    assert mer("weights") == code
    assert capsys.readouterr().err.strip() == sentence


def all_commands(command: Any, name: str = "mer") -> dict[str, Any]:
    if not hasattr(command, "commands"):
        return {name: command}
    return {
        full: found
        for part, each in command.commands.items()
        for full, found in all_commands(each, f"{name} {part}").items()
    }


def test_only_a_flag_that_is_on_by_default_can_be_turned_off() -> None:
    options = [
        (name, parameter)
        for name, command in all_commands(typer.main.get_command(app.app)).items()
        for parameter in command.params
    ]
    negated = {(name, flag) for name, parameter in options for flag in parameter.secondary_opts}
    assert negated == {("mer run", "--no-train")}
    hidden = {(name, *parameter.opts) for name, parameter in options if getattr(parameter, "hidden", False)}
    old_train = {("mer train", flag) for flag in ("--from", "--stack", "--dataset", "--partial", "--watch")}
    assert hidden == {("mer run", "--keep"), *old_train}


def test_the_choices_of_a_profile_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run", "drop"):
        assert mer(command, tmp_path, "--profile", "papre") == 2
        said = capsys.readouterr().err
        assert all(word in said for word in ("papre", "corrected", "paper"))


def test_keep_is_now_retain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from merstream.embedded import features

    asked = []

    def note(work: Any, out: Path, jobs: int) -> None:
        asked.append(work.retain)

    monkeypatch.setattr(features, "extract_with_progress", note)
    assert mer("run", tmp_path, "--no-train", "--retain", "features") == 0
    assert "--keep" not in capsys.readouterr().err
    assert mer("run", tmp_path, "--no-train", "--keep", "features") == 0
    assert "is now `--retain features`" in capsys.readouterr().err
    assert mer("run", tmp_path, "--no-train") == 0
    assert asked == ["features", "features", "all"]
