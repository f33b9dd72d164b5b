"""A withdrawal from its beginning to its end: find what is meant, ask, remove it, and say what was removed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from services.ingest.withdrawal.removal import Removal
from services.ingest.withdrawal.uploads import find_uploads
from shared.bus import Bus
from shared.errors import BadData
from shared.store import Store
from shared.withdrawal.scope import find_scope, find_video_scope, known_names, read_mark


@dataclass(frozen=True)
class Withdrawer:
    """Removes datasets, persons and videos from a bus and a store.

    `datasets` and `videos` are the buckets of uploads, None for a run's folder that has none. `reports` are stores with
    reports of embedded runs.
    """

    bus: Bus
    store: Store
    datasets: Store | None
    videos: Store | None = None
    reports: tuple[Store, ...] = ()

    def withdraw_scope(
        self, name: str, subject: str | None, video: bool = False, confirm: Callable[[str], bool] = lambda plan: True
    ) -> Iterator[str]:
        """Remove a dataset, a person or a video. Yields sentences about what was done and what is left to do.

        `confirm` gets a sentence with what is going to be removed. Only this sentence and BadData, which is raised for
        a name that nothing is known of, name the person.
        """
        bus, store, uploads = self.bus, self.store, self.videos if video else self.datasets
        scope = find_video_scope(bus, store, name) if video else find_scope(bus, store, name, subject)
        mark = read_mark(store, scope)
        removal = Removal(bus, store, scope, uploads, self.reports)
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
        removed_of = f"One person of {name}" if subject else name
        yield f"{removed_of}: removed {removed or 'nothing, nothing of it was left'}."
        if removal.shared_clips:
            yield f"{removal.shared_clips} clips of it stay: another dataset has them too."
        if waiting := removal.waiting_messages():
            yield (
                f"{waiting} messages are still in work or wait. What was removed may be among them: ask for the same "
                "again when `mer status` shows none."
            )
        if removal.counts["reports noted"]:
            yield "Reports that rest on other clips too have a note in WITHDRAWN.txt. Train again for other figures."
        if subject and uploaded:
            yield "Sheets were not changed: upload them again without the rows of the person."
