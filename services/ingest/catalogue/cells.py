"""Frame numbers and frame rates in cells. The other rules of cells are those of all tables."""

import math
import re

from shared.errors import BadData
from shared.tables.cells import cell_text, narrow_text, quote_cell, whole_number


def frame_number(value: object, column: str, location: str) -> int:
    """A frame number, from a number or its text. Raises BadData for anything else."""
    number = whole_number(value)
    if number is None:
        got = "an empty cell" if cell_text(value) == "" else quote_cell(value)
        raise BadData(f"{location}: expected a whole frame number in {column}, got {got}; correct the cell.")
    return number


def frame_rate(value: object, column: str, location: str) -> float:
    """Frames per second, above 0. Raises BadData."""
    text = narrow_text(cell_text(value))
    fps = float(text) if re.fullmatch(r"[0-9]{1,18}(\.[0-9]*)?", text) else math.nan
    if not (0 < fps < math.inf):
        raise BadData(
            f"{location}: expected frames per second above 0 in {column}, got {quote_cell(value)}; correct the cell."
        )
    return fps
