"""The work of `mer forget`, on a stack or in the folder of a run."""

from collections.abc import Callable, Iterator
from pathlib import Path

from merstream.embedded.run_folder import Workspace
from merstream.stack.connection import connect_bus_and_store, connection_settings
from services.ingest.withdrawal.withdrawing import Withdrawer
from shared.bus import Bus
from shared.connect import open_inbox, open_videos
from shared.settings import Settings
from shared.store import LocalStore, Store


def forget(
    out: Path | None, name: str, subject: str | None, video: bool, confirm: Callable[[str], bool]
) -> Iterator[str]:
    """Remove a dataset, a person or a video. Yields sentences and raises as `Withdrawer.withdraw_scope`."""
    with connect_bus_and_store(out) as (bus, store):
        withdrawer = open_withdrawer(bus, store, connection_settings(out), out)
        yield from withdrawer.withdraw_scope(name, subject, video, confirm)
        if out is not None:
            yield "The folder from which `mer run` read, logs, and predictions of `mer predict` are yours to delete."


def open_withdrawer(bus: Bus, store: Store, settings: Settings, out: Path | None) -> Withdrawer:
    """What removes from a stack, or from the folder `out` of a run. The reports of a stack are in its store."""
    folder, stack = Workspace(out).report_folder if out else None, bool(settings.s3_endpoint)
    return Withdrawer(
        bus,
        store,
        open_inbox(settings) if stack or (settings.home / "inbox").exists() else None,
        open_videos(settings) if stack or (settings.home / "videos").exists() else None,
        (LocalStore(folder),) if folder and folder.exists() else (),
    )
