"""A finished run of a stack, found in the store by its id."""

import re
from dataclasses import dataclass

from shared.errors import BadData
from shared.records import report_prefix, run_contents_key
from shared.run_contents import RunContents
from shared.store import NotStored, Store


@dataclass(frozen=True)
class FinishedRun:
    """Its contents, and where its report is."""

    contents: RunContents
    report_key: str


def find_finished_run(store: Store, run: str) -> FinishedRun:
    """The run with this id. Raises BadData if the store has none that is finished."""
    try:
        if not re.fullmatch("[0-9a-f]{32}", run):  # it becomes a part of a key
            raise NotStored(run)
        contents = RunContents.decode(store.get(run_contents_key(run)))
        report_key = f"{report_prefix(contents.dataset, run)}report.json"
        if not store.exists(report_key):
            raise NotStored(report_key)
    except NotStored:
        raise BadData(
            f"model: expected `shipped` or the id of a finished run of this stack, got {run!r}. `mer status --json` "
            "names the runs."
        ) from None
    return FinishedRun(contents, report_key)
