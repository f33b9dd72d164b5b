"""Runs that rest on withdrawn clips: those that rest on nothing else are removed, the others get a note.

Figures of many people are no personal data of one of them, so they stay. Everything that names the person is removed:
rows, entries of run.json, and the page, which may show faces. The note names the weights that were trained on them.
"""

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from shared.errors import BadData
from shared.records import Sample
from shared.run_contents import RunContents
from shared.store import Store
from shared.tables.csv_writing import format_csv
from shared.training.annotations import clip_id, subject_id
from shared.withdrawal.scope import WithdrawalScope

NOTE_FILE = "WITHDRAWN.txt"
TABLES = ("predictions.csv", "per_subject.csv")


def withdraw_from_report(
    files: Store, prefix: str, run_key: str, weights: Sequence[str], scope: WithdrawalScope
) -> str:
    """Remove or note what rests on withdrawn clips in the report under `prefix`. The run.json lies under `run_key`.

    Returns `removed`, `noted`, or '' if it rests on none of them. `weights` are those of the run, for the note.
    """
    try:
        contents = RunContents.decode(files.get(run_key))
    except BadData:  # it is gone, or of another version
        return ""
    withdrawn = [record.sample for record in contents.features if scope.covers_sample(record.sample)]
    if not withdrawn:
        return ""
    if len(withdrawn) == len(contents.features) and not contents.table:
        for key in [run_key, *files.list_keys(prefix)]:
            files.delete(key)
        return "removed"
    note = _write_note(len(withdrawn), len(contents.features), weights)
    _strip_files(files, prefix, withdrawn, note)
    kept = tuple(record for record in contents.features if not scope.covers_sample(record.sample))
    files.put(run_key, contents.model_copy(update={"features": kept, "faults": (*contents.faults, note)}).encode())
    return "noted"


def _write_note(withdrawn: int, clips: int, weights: Sequence[str]) -> str:
    named = f" Weights that were trained on them: {', '.join(weights)}." if weights else ""
    return (
        f"{withdrawn} of the {clips} clips of this run were withdrawn after it. Its figures still rest on them. Train "
        f"again to be rid of that.{named}"
    )


def _strip_files(files: Store, prefix: str, withdrawn: Sequence[Sample], note: str) -> None:
    """Leave what names nobody who was withdrawn in the files of a report, and the note."""
    clips, people = {clip_id(sample) for sample in withdrawn}, {subject_id(sample) for sample in withdrawn}
    named = clips | people
    present = {key.removeprefix(prefix) for key in files.list_keys(prefix) if "/" not in key.removeprefix(prefix)}
    for name in present.intersection(TABLES):
        files.put(prefix + name, _strip_table(files.get(prefix + name), named))
    if "report.json" in present:
        report = _strip_json(json.loads(files.get(prefix + "report.json")), named)
        files.put(prefix + "report.json", json.dumps({**report, "withdrawn": note}, indent=1).encode())
    if "report.html" in present:
        page = f"<!doctype html><title>withdrawn</title><p>{note} The figures are in report.json.</p>\n"
        files.put(prefix + "report.html", page.encode())
    if "model_card.md" in present:
        files.put(prefix + "model_card.md", f"**{note}**\n\n".encode() + files.get(prefix + "model_card.md"))
    files.put(prefix + NOTE_FILE, f"{note}\n".encode())


def _strip_table(data: bytes, named: set[str]) -> bytes:
    """The table without rows that have one of the names in a cell."""
    header, *rows = csv.reader(io.StringIO(data.decode(), newline=""))
    return format_csv(header, (row for row in rows if named.isdisjoint(row))).encode()


def _strip_json(value: Any, named: set[str]) -> Any:
    """The value without entries of lists that are, or have directly in them, one of the names."""
    if isinstance(value, dict):
        return {name: _strip_json(each, named) for name, each in value.items() if name not in named}
    if isinstance(value, list):
        return [_strip_json(each, named) for each in value if not _names_any(each, named)]
    return value


def _names_any(entry: Any, named: set[str]) -> bool:
    texts = entry.values() if isinstance(entry, dict) else [entry]
    return any(isinstance(text, str) and text in named for text in texts)
