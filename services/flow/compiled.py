"""How the flow's kernels are compiled: strictly as written, once per machine, kept on disk.

Every sum is taken in the order of the text and rounded as IEEE 754 says: no `fastmath`, no fused multiply-add. That is
what makes equal inputs give equal bytes. A kernel that others call exists in several compiled copies (its own, and
one inside each caller's object, optimised again), all under one weak symbol; the linker takes whichever the process
met first, so a process that compiles and one that loads run different copies. Reordered sums made them differ in the
last bit; strict ones are the same whatever the copy, the cache, the vector width or the machine.

A folder of the cache belongs to one version of a kernel's file and of this one: numba notices changes of a kernel's own
file only, and a process killed while writing could leave an index that points at an older version's code.

An image compiles at build: with NUMBA_CACHE_DIR set (for the build step and at run time, to one folder that all users
may read) and the source at the place where it will run, call the flow once per profile. At run time nothing need
be writable but the temporary folder: a cache that can only be read is copied there. What is cached is machine code for
one kind of CPU, so the image also sets NUMBA_CPU_NAME and NUMBA_CPU_FEATURES to the oldest it may meet (x86-64-v3 and
the empty string, on arm64 generic); without them another CPU than the builder's compiles anew at the start, some 25 s.
"""

import atexit
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])
CONFIG: Any = numba.config  # its attributes are made at run time


def compiled_kernel(function: F) -> F:
    """Compiled on the first call; runs without the interpreter's lock, checks no division by zero."""
    options: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
    before = CONFIG.CACHE_DIR
    CONFIG.CACHE_DIR = str(
        kernel_cache_folder(Path(function.__code__.co_filename))
    )  # read while the cache is attached, not later
    try:
        compiled: F = numba.njit(**options)(function)
    finally:
        CONFIG.CACHE_DIR = before
    return compiled


@cache
def kernel_cache_folder(source_file: Path) -> Path:
    """Where the kernels of one file are kept: in NUMBA_CACHE_DIR or beside it; in a temporary copy if read-only."""
    base = Path(CONFIG.CACHE_DIR or source_file.parent / "__pycache__")
    digest = hashlib.sha256(Path(__file__).read_bytes() + source_file.read_bytes()).hexdigest()[:16]
    kept = base / f"{source_file.stem}-{digest}"
    return kept if is_writable_folder(kept) else copy_cache_folder(kept)


def is_writable_folder(folder: Path) -> bool:
    """Whether files can be made in it and in all its folders; makes it where it is not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for inner in (folder, *(path for path in folder.iterdir() if path.is_dir())):
            with tempfile.TemporaryFile(dir=inner):
                pass
    except OSError:
        return False
    return True


def copy_cache_folder(original: Path) -> Path:
    """A copy of this process' own, gone when it ends. What is loaded from it is code: nobody else may write there."""
    own = Path(tempfile.mkdtemp(prefix="kernels-"))
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(own, ignore_errors=True) if os.getpid() == owner else None)
    if original.is_dir():
        shutil.copytree(original, own, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return own
