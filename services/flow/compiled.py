"""Compilation of the flow's kernels: strictly as written, once per machine, cached on disk.

Every sum has the order of the source text, rounded as IEEE 754 says: no `fastmath`, no fused multiply-add. Therefore
equal inputs give equal bytes. A kernel that others call exists in several compiled copies: its own, and one inside each
caller's object, optimised again. All copies have one weak symbol, and the linker uses the first one that the process
loads. So a process that compiles and one that loads run different copies. With reordered sums these differed in the
last bit. With strict sums they are the same for every copy, cache, vector width and machine.

A folder of the cache belongs to one version of a kernel's file and of this file. numba notices changes of a kernel's
own file only. A process killed while writing could leave an index that points at an older version's code.

A container image compiles at build. Set NUMBA_CACHE_DIR, for the build step and at run time, to one folder that all
users may read. Put the source at the place where it will run, and call the flow once per profile. At run time only the
temporary folder must be writable: a read-only cache is copied there. The cache holds machine code for one kind of CPU.
So the image also sets NUMBA_CPU_NAME and NUMBA_CPU_FEATURES to the oldest CPU (x86-64-v3 and the empty string, on arm64
generic). Without them, another CPU than the builder's compiles again at the start, some 25 s.
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
CONFIG: Any = numba.config  # Any, since numba sets its attributes at run time


def compiled_kernel(function: F) -> F:
    """Compile the function on its first call; it runs without the interpreter's lock and checks no division by zero."""
    options: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}
    before = CONFIG.CACHE_DIR
    # numba reads CACHE_DIR while it attaches the cache, not later
    CONFIG.CACHE_DIR = str(kernel_cache_folder(Path(function.__code__.co_filename)))
    try:
        compiled: F = numba.njit(**options)(function)
    finally:
        CONFIG.CACHE_DIR = before
    return compiled


@cache
def kernel_cache_folder(source_file: Path) -> Path:
    """The cache of the kernels of one file: in NUMBA_CACHE_DIR or beside the file; a temporary copy if read-only."""
    base = Path(CONFIG.CACHE_DIR or source_file.parent / "__pycache__")
    digest = hashlib.sha256(Path(__file__).read_bytes() + source_file.read_bytes()).hexdigest()[:16]
    kept = base / f"{source_file.stem}-{digest}"
    return kept if is_writable_folder(kept) else copy_cache_folder(kept)


def is_writable_folder(folder: Path) -> bool:
    """Whether files can be written to the folder and to all folders in it; creates it if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for inner in (folder, *(path for path in folder.iterdir() if path.is_dir())):
            with tempfile.TemporaryFile(dir=inner):
                pass
    except OSError:
        return False
    return True


def copy_cache_folder(original: Path) -> Path:
    """A copy for this process, deleted when it ends. It contains code, so nobody else may write there."""
    own = Path(tempfile.mkdtemp(prefix="kernels-"))
    owner = os.getpid()
    atexit.register(lambda: shutil.rmtree(own, ignore_errors=True) if os.getpid() == owner else None)
    if original.is_dir():
        shutil.copytree(original, own, dirs_exist_ok=True, copy_function=shutil.copyfile)
    return own
