"""The work of `mer forget`: find what is meant, ask, remove it, and say what was removed."""

from collections.abc import Callable, Iterator
from pathlib import Path

from merstream.embedded.run_folder import Workspace
from merstream.stack.connection import connect_bus_and_store, connection_settings
from merstream.withdrawal.removal import Removal
from merstream.withdrawal.scope import find_scope, find_video_scope, known_names, read_mark
from merstream.withdrawal.uploads import find_uploads
from shared.connect import open_inbox, open_videos
from shared.errors import BadData
from shared.settings import Settings
from shared.store import LocalStore, Store


def forget(
    out: Path | None, name: str, subject: str | None, video: bool, confirm: Callable[[str], bool]
) -> Iterator[str]:
    """Remove a dataset, a person or a video. Yields sentences about what was done and what is left to do.

    `confirm` gets a sentence with what is going to be removed. Raises BadData for a name that nothing is known of.
    """
    settings = connection_settings(out)
    with connect_bus_and_store(out) as (bus, store):
        scope = find_video_scope(bus, store, name) if video else find_scope(bus, store, name, subject)
        uploads, mark = _open_uploads(settings, video), read_mark(store, scope)
        removal = Removal(bus, store, scope, uploads, _open_reports(out))
        uploaded, artifacts = find_uploads(uploads, scope) if uploads else [], sum(1 for _ in removal.list_artifacts())
        if not (uploaded or artifacts or mark or (not subject and not video and name in known_names(bus, store))):
            known = ", ".join(known_names(bus, store)) or "none"
            raise BadData(f"Expected something of {scope.title}, got nothing. Datasets: {known}. Correct the name.")
        if not confirm(f"{scope.title}: {len(uploaded)} uploaded files and {artifacts} stored files of it are here."):
            yield "Nothing was removed."
            return
        removal.remove_uploads(uploaded)
        removal.remove_rest()
        removed = ", ".join(f"{count} {what}" for what, count in removal.counts.items() if count)
        yield f"{scope.title}: removed {removed or 'nothing, nothing of it was left'}."
        if removal.shared_clips:
            yield f"{removal.shared_clips} clips of it stay: another dataset has them too."
        if waiting := removal.waiting_messages():
            yield (
                f"{waiting} messages are still in work or wait. What was removed may be among them: give the same "
                "command again when `mer status` shows none."
            )
        if removal.counts["reports noted"]:
            yield "Reports that rest on other clips too have a note in WITHDRAWN.txt. Train again for other figures."
        if subject and uploaded:
            yield f"Sheets were not changed: upload them again without the rows of {subject}."
        if out is not None:
            yield "The folder from which `mer run` read, logs, and predictions of `mer predict` are yours to delete."


def _open_uploads(settings: Settings, video: bool) -> Store | None:
    """The bucket of uploads. None for a run's folder that has none."""
    folder = settings.home / ("videos" if video else "inbox")
    if not settings.s3_endpoint and not folder.exists():
        return None
    return open_videos(settings) if video else open_inbox(settings)


def _open_reports(out: Path | None) -> tuple[Store, ...]:
    """The reports beside an embedded run. Those of a stack are in its store."""
    folder = Workspace(out).report_folder if out else None
    return (LocalStore(folder),) if folder and folder.exists() else ()
