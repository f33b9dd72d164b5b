"""Which of several faces a row means: `left`, `right`, `largest`, or a point in the face such as `480 200`."""

import re

from shared.errors import BadData

Point = tuple[float, float]  # x, y in px of the frame
NAMES = ("left", "right", "largest")
POINT = re.compile(r"(\d+(?:\.\d+)?)(?:\s*[,;/]\s*|\s+)(\d+(?:\.\d+)?)")


def check_named_face(text: str, location: str) -> str:
    """The text without spaces around it and in lower case. Raises BadData that names the row for an unknown face."""
    word = text.strip().casefold()
    if word and word not in NAMES and not POINT.fullmatch(word):
        raise BadData(
            f"{location}: expected the face as {', '.join(NAMES)} or a point in it (x and y in px, such as 480 200), "
            f"got {text!r}; correct the cell."
        )
    return word


def read_named_face(word: str) -> str | Point:
    """A word that `check_named_face` gave: one of `NAMES`, "" or a point."""
    point = POINT.fullmatch(word)
    return (float(point[1]), float(point[2])) if point else word
