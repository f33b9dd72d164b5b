"""What all servers of the tests need: a free port, a cache of programs, and an end with the tests that started them."""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "merstream" / "servers"


class ServerMissing(Exception):
    """A sentence that says what this machine lacks to get or to start a server."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with_parent() -> None:
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


# For subprocess.Popen: tests that were killed with SIGKILL leave no server behind.
DIE_WITH_PARENT: Callable[[], None] | None = _die_with_parent if sys.platform == "linux" else None
