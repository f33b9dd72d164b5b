import csv
from dataclasses import replace
from pathlib import Path

import pytest

from services.ingest.catalogue.corrections import CONFIDENCE, CORRECTIONS_CSV, FIELDS, apply_corrections
from services.ingest.catalogue.entry import AnnotationEntry
from shared.inbox.reading_options import CorrectionSwitch


def entry(subject: str, clip: str, onset: object, apex: object, offset: object, aus: str = "4") -> AnnotationEntry:
    return AnnotationEntry(
        location="sheet row 2",
        dataset="my folder",
        subject=subject,
        clip=clip,
        source_path=Path("x"),
        onset=onset,
        apex=apex,
        offset=offset,
        fps=200.0,
        emotion="disgust",
        aus=aus,
        cropped=True,
    )


MMEW = entry("04", "S04-01-001", 1, 27, 40)
INFERRED = entry("13", "S13-01-001", 1, 30, 56)


def test_the_table_is_whole() -> None:
    with CORRECTIONS_CSV.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    keys = [tuple(row[name] for name in ("dataset", "subject", "filename", "field", "old")) for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["confidence"] for row in rows} == set(CONFIDENCE)
    assert {row["field"] for row in rows} <= set(FIELDS)
    assert all(row["new"] and row["source"] and row["dataset"] and row["subject"] for row in rows)
    assert not [row for row in rows if row["confidence"] == "documented" and not row["old"]]


def test_what_is_documented_is_applied_and_reported() -> None:
    changed, changes = apply_corrections(MMEW, "mmew", "documented")
    assert (changed.onset, changed.apex, changed.offset) == (1, "40", "75")
    assert [(change.field, change.old, change.new, change.applied) for change in changes] == [
        ("apex", "27", "40", True),
        ("offset", "40", "75", True),
    ]


def test_nothing_is_applied_twice_or_where_the_old_value_differs() -> None:
    for right in (replace(MMEW, apex=40, offset=75), replace(MMEW, apex=26, offset=41)):
        assert apply_corrections(right, "mmew", "all") == (right, ())


@pytest.mark.parametrize(("switch", "offset"), [("none", 56), ("documented", 56), ("all", "88")])
def test_what_is_inferred_from_row_order_is_off_by_default_and_named(switch: CorrectionSwitch, offset: object) -> None:
    changed, changes = apply_corrections(INFERRED, "mmew", switch)
    assert changed.offset == offset
    assert {change.confidence for change in changes} == {"row order"}
    assert all(change.applied == (switch == "all") for change in changes)
    verb = "was corrected" if switch == "all" else "may be wrong"
    assert str(changes[1]).startswith(f"13/S13-01-001: offset 56 {verb}, row order: 88 (tvaranka/meb loader;")


def test_an_old_value_that_nobody_recorded_is_told_and_never_applied() -> None:
    before = entry("05", "EP03_01", 60, 62, 100)
    after, (change,) = apply_corrections(before, "casme2", "all")
    assert (after, change.applied, change.new) == (before, False, "68")


@pytest.mark.parametrize(
    ("dataset", "before", "field", "new"),
    [
        ("casme2", entry("04", "EP12_01f", 270, "/", 320), "apex", "279"),
        ("casme2", entry("05", "EP09_05f", 69, 69, 109), "apex", "81"),
        ("casme2", entry("5", "ep09_05f", 69, 69, 109), "apex", "81"),
        ("casme2", entry("20", "EP16_01", 60, 120, 120), "apex", "91"),
        ("samm", entry("007", "007_6_1", 1, 2, 3, "R12 or R15"), "aus", "R12+R15"),
    ],
)
def test_conditions_on_the_old_value(dataset: str, before: AnnotationEntry, field: str, new: str) -> None:
    after, _ = apply_corrections(before, dataset, "all")
    assert getattr(after, field) == new
    assert apply_corrections(before, dataset, "documented")[0] == before


def test_the_same_name_of_another_subject_or_dataset_stays() -> None:
    for dataset, other in (("mmew", replace(MMEW, subject="05")), ("casme2", MMEW)):
        assert apply_corrections(other, dataset, "all") == (other, ())
