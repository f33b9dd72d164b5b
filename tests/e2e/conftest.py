"""What is collected only when it is named."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`test_stack.py` needs a Docker engine and many minutes: `make e2e`."""
    named = any(collection_path.name in str(argument) for argument in config.invocation_params.args)
    return True if collection_path.name == "test_stack.py" and not named else None
