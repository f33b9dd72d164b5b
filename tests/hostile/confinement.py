"""Limits of the process that gets hostile inputs, and of its children, and what it must not have changed."""

import ctypes
import faulthandler
import hashlib
import os
import platform
import resource
import signal
import struct
import sys
from pathlib import Path

_ALLOW, _TRAP = 0x7FFF0000, 0x00030000  # seccomp(2): SECCOMP_RET_ALLOW, SECCOMP_RET_TRAP
_LOAD, _JUMP_EQUAL, _RETURN = 0x20, 0x15, 0x06  # BPF: word at an absolute offset, ==, return
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_SOCKET_CALLS = {"x86_64": (0xC000003E, 41), "aarch64": (0xC00000B7, 198)}  # AUDIT_ARCH_*, number of socket(2)
_AF_INET, _AF_INET6 = 2, 10
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2


def limit_memory(size: int) -> None:
    """Private data of this process and of each child, bytes."""
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def forbid_network() -> bool:
    """Let the kernel end this process, or a child, that opens a socket of the internet, from C too.

    Returns False where there is no such filter. Nothing undoes it.
    """
    if sys.platform != "linux" or platform.machine() not in _SOCKET_CALLS:
        return False
    machine, call = _SOCKET_CALLS[platform.machine()]
    program = [
        (_LOAD, 0, 0, _MACHINE),
        (_JUMP_EQUAL, 0, 5, machine),
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_EQUAL, 0, 3, call),
        (_LOAD, 0, 0, _FIRST_ARGUMENT),
        (_JUMP_EQUAL, 2, 0, _AF_INET),
        (_JUMP_EQUAL, 1, 0, _AF_INET6),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _TRAP),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    # struct sock_fprog: a count and a pointer
    filter_ = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(code)))
    faulthandler.register(signal.SIGSYS, all_threads=True, chain=True)
    libc = ctypes.CDLL(None)
    return bool(
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        and libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.c_void_p(ctypes.addressof(filter_)), 0, 0) == 0
    )


class Surroundings:
    """Everything below `root` but the folder `inside`: nothing there may change. `secret` must not be read into it."""

    def __init__(self, root: Path, inside: Path) -> None:
        self.root, self.inside = root, inside
        self.secret = f"secret-{hashlib.sha256(os.urandom(8)).hexdigest()}"
        self.outside = root / "outside"
        self.outside.mkdir()
        self.secret_file = self.outside / "secret.txt"
        self.secret_file.write_text(self.secret)
        self._before = self._list_files()

    def describe_changes(self) -> list[str]:
        """Files that came, went or changed outside."""
        now = self._list_files()
        return sorted(str(file) for file, _ in now.items() ^ self._before.items())

    def find_secret(self) -> list[str]:
        """Files inside that hold the secret."""
        files = (file for file in self.inside.rglob("*") if file.is_file() and not file.is_symlink())
        return [str(file) for file in files if self.secret.encode() in file.read_bytes()]

    def _list_files(self) -> dict[Path, str]:
        found = {}
        for folder, names, files in os.walk(self.root):
            if Path(folder) == self.inside:
                names.clear()
                continue
            for name in (*names, *files):
                file = Path(folder) / name
                found[file] = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "no file"
        return found
