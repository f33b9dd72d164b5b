"""Tables as CSV text. Every CSV file of merstream is written here, so that no spreadsheet runs a cell of it.

A spreadsheet takes a cell for a formula if it begins with one of a few characters. Names and labels come from whoever
made the dataset, so such a cell gets an apostrophe in front (OWASP, "CSV Injection").
"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


def format_csv(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The table as CSV text, with lines that end in CR LF."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    for row in (header, *rows):
        writer.writerow(map(_disarm_formula, row))
    return text.getvalue()


def _disarm_formula(cell: Any) -> Any:
    """The cell, with an apostrophe before a text that a spreadsheet would run. A number is no formula."""
    if not isinstance(cell, str) or not cell.lstrip(" ").startswith(_FORMULA_STARTS) or _is_number(cell):
        return cell
    return f"'{cell}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
