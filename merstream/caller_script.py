"""Worker processes without the script that started them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def hide_caller_script() -> Iterator[None]:
    """Processes that multiprocessing spawns within do not run the caller's script again.

    A spawned process imports the script of its parent first. A script that calls `merstream.run` would then need
    `if __name__ == "__main__":`. The workers of merstream need nothing from the script, so it is hidden from them.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
