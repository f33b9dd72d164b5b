"""Bus and store of the stack that the MER_* settings name, or of an embedded run's folder."""

import os
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from shared.bus import Bus
from shared.connect import open_bus, open_store
from shared.errors import BadData, Misconfigured
from shared.settings import Settings, load_settings
from shared.settings_text import decode_settings
from shared.storage_faults import stop_on_storage_fault
from shared.store import Store


@contextmanager
def connect_bus_and_store(out: Path | None) -> Iterator[tuple[Bus, Store]]:
    """Bus and store of the embedded run in `out`, or of the stack if `out` is None.

    Raises Misconfigured if there is neither.
    """
    settings = connection_settings(out)
    with stop_on_storage_fault(settings.home):
        opened = open_bus(settings)
    with closing(opened) as bus:
        yield bus, open_store(settings)


def connection_settings(out: Path | None) -> Settings:
    """The settings of the embedded run in `out`, or of the stack. Raises Misconfigured if there is neither."""
    settings = load_settings() if out is None else load_settings(home=out, kafka_servers="", s3_endpoint="")
    if not settings.kafka_servers and not (settings.home / "bus.sqlite").exists():
        raise Misconfigured(
            f"Expected a running stack or the folder of a run, got neither: {settings.home} has no bus.sqlite. "
            "Name a stack with MER_KAFKA_SERVERS and MER_S3_* (`mer --env FILE ...` reads them from a file), or a "
            "folder of a run with --out."
        )
    return settings


def load_environment_file(file: Path) -> None:
    """Read MER_* settings from lines NAME=VALUE into the environment. Variables that are already set win.

    Variables of other programs are ignored. Raises Misconfigured for a file that cannot be read, for a line without `=`
    and for one that sets a MER_* variable in the language of some shell.
    """
    try:
        lines = decode_settings(file.read_bytes(), f"--env {file}").splitlines()
    except OSError as error:
        raise Misconfigured(f"--env {file}: expected a readable file of NAME=VALUE lines: {error}.") from None
    except BadData as fault:
        raise Misconfigured(str(fault)) from None
    for number, line in enumerate(lines, start=1):
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        name = name.strip()
        if not name or name.startswith("#"):
            continue
        if not equals:
            raise Misconfigured(f"--env {file}, line {number}: expected NAME=VALUE, got no '='.")
        if re.fullmatch("MER_[A-Z0-9_]+", name):
            os.environ.setdefault(name, _strip_quotes(value))
        elif re.search(r"\bMER_", name, re.IGNORECASE):
            raise Misconfigured(f"--env {file}, line {number}: expected NAME=VALUE, got {name!r} as the name.")


def _strip_quotes(value: str) -> str:
    """The value without quotes around it, and without a comment behind them."""
    value = value.strip()
    quoted = re.fullmatch(r"""(["'])(.*)\1(\s+#.*)?""", value)
    return quoted[2] if quoted else value
