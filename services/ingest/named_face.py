"""Which of several faces a row means: `left`, `right`, `largest`, or a point in the face such as `480 200`."""

import re

from shared.errors import BadData

Point = tuple[float, float]  # x, y in px of the frame
NAMES = ("left", "right", "largest")
POINT = re.compile(r"(\d+(?:\.\d+)?)\s*[,;/ ]\s*(\d+(?:\.\d+)?)")


def parse_named_face(text: str) -> str | Point | None:
    """One of `NAMES`, a point, or None for a blank text. Raises BadData for anything else."""
    word = text.strip().casefold()
    if not word or word in NAMES:
        return word or None
    if point := POINT.fullmatch(word):
        return float(point[1]), float(point[2])
    raise BadData(
        f"expected the face as left, right, largest or a point in it (x and y in px, such as 480 200), got {text!r}; "
        "correct the cell"
    )
