import pytest

from shared.tables.rows import TableRow, read_rows
from shared.tables.table import Table, parse_csv

COLUMNS = {"subject": 1, "onset": 2, "aus": 3}


def rows(text: str) -> list[TableRow]:
    return read_rows(parse_csv(text.encode(), "t.csv"), 1, COLUMNS)


def test_rows_have_their_places_cells_and_names() -> None:
    first, second = rows("subject,onset,aus\np1,4,6+12\n\np2,5\n")
    assert (first.location, dict(first.cells)) == ("t.csv row 2", {"subject": "p1", "onset": "4", "aus": "6+12"})
    assert (second.location, second["aus"], second["other"]) == ("t.csv row 4", None, None)
    assert first.column_labels["onset"] == "onset (column B)"
    assert (first.notes, first.fault) == ((), "")


def test_units_without_quotation_marks() -> None:
    (row,) = rows("subject,onset,aus\np1,4,6,12,25\n")
    assert row["aus"] == "6+12+25"
    assert row.notes == ("t.csv row 2: 5 cells for 3 columns: the units without quotation marks read as 6+12+25",)


@pytest.mark.parametrize(
    ("header", "cells", "fault"),
    [
        (
            "subject,onset,aus",
            "p1,4,6,remark",
            "t.csv row 2: expected 3 cells, got 4; put a cell that holds a comma in ",
        ),
        ("subject,onset,aus,", "p1,4,6,12", "t.csv row 2: expected 3 cells, got 4; put a cell that holds a comma in "),
        ("subject,onset,aus,", "p1,4,6,remark", ""),  # a column without a name
        ("subject,onset,aus", "p1,4,6,,", ""),
    ],
)
def test_rows_that_are_longer_than_the_header(header: str, cells: str, fault: str) -> None:
    (row,) = rows(f"{header}\n{cells}\n")
    assert row.fault.startswith(fault)
    assert bool(row.fault) == bool(fault)


def test_comments_are_left_out_and_told_on_every_row() -> None:
    found = rows("subject,onset,aus\np1,4,6\n#p2,5,6\n# done\n#1,5,6\n#N/A,5,6\n")
    assert [row["subject"] for row in found] == ["p1", "#1", "#N/A"]
    assert {row.notes[0] for row in found} == {"t.csv: row(s) 3, 4 begin with # and are comments"}
    assert "the spreadsheet's error #N/A" in found[2].fault


def test_hidden_rows_are_read_and_told_and_struck_cells_refused() -> None:
    grid = (("subject", "onset", "aus", "duration"), ("p1", 4, "6", 9), ("p2", 5, "12", 9))
    struck = frozenset({(2, 4), (3, 3)})
    table = Table("t.xlsx [S]", "S", grid, struck=struck, hidden=frozenset({2, 7}))
    first, second = read_rows(table, 1, {**COLUMNS, "duration": 4})
    assert first.notes[0] == "t.xlsx [S]: row(s) 2 are hidden in the sheet, and were read as the others"
    assert (first.fault, first["duration"]) == ("", None)  # a clip can be used without it
    assert first.notes[1].endswith("remove the line through it. The cell was left out")
    assert second.fault == (
        "t.xlsx [S] row 3: expected a cell that counts in aus (column C), got '12' struck out; delete the row, or "
        "remove the line through it."
    )
