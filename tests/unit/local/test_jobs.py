import sys
import time

import pytest
import typer

from services.local.jobs import interruptible


class Grave:
    """Whose end is when Ctrl-C comes."""

    def __del__(self) -> None:
        raise KeyboardInterrupt


def test_ctrl_c_ends_a_command_with_130() -> None:
    with pytest.raises(typer.Exit) as ended, interruptible():
        raise KeyboardInterrupt
    assert ended.value.exit_code == 130


def test_ctrl_c_in_a_destructor_is_not_lost() -> None:
    def work() -> None:
        Grave()
        time.sleep(60)  # or for ever: it is cut short
        raise AssertionError("went on as if nothing had been")

    with pytest.raises(typer.Exit) as ended, interruptible():
        work()
    assert ended.value.exit_code == 130


def test_whoever_cared_for_lost_errors_cares_again_afterwards() -> None:
    before = sys.unraisablehook
    with interruptible():
        assert sys.unraisablehook != before
    assert sys.unraisablehook == before
