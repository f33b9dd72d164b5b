"""CSV files of ours: what a spreadsheet would run is text, and every other cell is as it was."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest

from shared.tables.csv_writing import format_csv

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    "cell",
    ["=cmd|'/C calc'!A0", '=HYPERLINK("http://x")', "+1+1", "-2+3", "@SUM(1)", " =1+1", "\t=1", "\n=1", "＝1+1"],
)
def test_a_formula_is_text(cell: str) -> None:
    (header, row) = csv.reader(io.StringIO(format_csv(["a", cell], [["x", cell]]), newline=""))
    assert header == ["a", f"'{cell}"]
    assert row == ["x", f"'{cell}"]


def test_any_other_cell_stays() -> None:
    row = [-1, -0.5, np.str_("s/01"), "-0.2500", "-1e-05", "", None, "a=b", "don't", "ümlaut, with comma"]
    text = format_csv(["n"], [row])
    assert text == 'n\r\n-1,-0.5,s/01,-0.2500,-1e-05,,,a=b,don\'t,"ümlaut, with comma"\r\n'


def test_no_other_module_writes_csv() -> None:
    writers = {
        file.relative_to(ROOT).as_posix()
        for folder in ("merstream", "services", "shared")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"\bcsv\.(writer|DictWriter)\b", file.read_text(encoding="utf-8"))
    }
    assert writers == {"shared/tables/csv_writing.py"}
