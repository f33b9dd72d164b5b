"""Onset, apex and offset in seconds, in place of frame numbers or beside them."""

import math
from dataclasses import replace

from services.ingest.catalogue import numbered
from services.ingest.catalogue.cells import frame_rate
from services.ingest.catalogue.entry import AnnotationEntry, Numbering, Seconds
from shared.errors import BadData
from shared.tables.cells import cell_text, is_absent, quote_cell, whole_number

SPAN_ROLES = ("onset", "apex", "offset")


def read_numbering(entry: AnnotationEntry) -> Numbering:
    """The cell `numbering`. Raises BadData for other words."""
    word = cell_text(entry.numbering).casefold()
    if word in ("counted", "timed"):
        return "counted" if word == "counted" else "timed"
    if is_absent(word):
        return ""
    raise BadData(
        f"{entry.location}: expected counted or timed in numbering, got {quote_cell(entry.numbering)}; "
        "correct the cell."
    )


def read_seconds(entry: AnnotationEntry) -> Seconds | None:
    """Onset, apex and offset in seconds. None if the row has none. Raises BadData if only one of the ends is there."""
    onset, apex, offset = (_seconds_cell(entry, role) for role in SPAN_ROLES)
    if onset is None and apex is None and offset is None:
        return None
    if onset is None or offset is None:
        raise BadData(f"{entry.location}: expected both onset_s and offset_s, got one of them; fill in the other.")
    blank = [is_absent(getattr(entry, role)) for role in SPAN_ROLES]
    if blank[0] != blank[2] or (blank[0] and not blank[1]):
        raise BadData(
            f"{entry.location}: expected onset and offset as frames, as seconds or as both, got a mixture; "
            "write all of them as seconds, or all as frames."
        )
    if onset >= offset:
        raise BadData(
            f"{entry.location}: expected onset before offset, got onset_s {onset:g} and offset_s {offset:g}; "
            "correct the cells."
        )
    return onset, apex, offset


def number_seconds(entry: AnnotationEntry, seconds: Seconds) -> AnnotationEntry:
    """The entry with frame numbers for its seconds, at the row's rate from the first frame.

    Numbers that the row has stay. In a folder of frames they must agree within a frame; of a video only its time stamps
    can tell. Raises BadData, with the cells.
    """
    fps = frame_rate(entry.fps, entry.column_label("fps"), entry.location)
    in_folder = entry.source_path.is_dir()
    first = min(numbered.numbered_images(entry.source_path), default=0) if in_folder else 0
    cells: dict[str, object] = {}
    for role, each in zip(SPAN_ROLES, seconds, strict=True):
        if each is None:
            continue
        number, written = first + round(each * fps), whole_number(getattr(entry, role))
        if is_absent(getattr(entry, role)):
            cells[role] = number
        elif in_folder and written is not None and abs(written - number) > 1:
            raise BadData(
                f"{entry.location}: expected frames and seconds that agree within a frame, got {role} {written} and "
                f"{role}_s {each:g}, which is frame {number} at {fps:g} frames per second; "
                "correct or empty one of them."
            )
    return replace(
        entry,
        onset=cells.get("onset", entry.onset),
        apex=cells.get("apex", entry.apex),
        offset=cells.get("offset", entry.offset),
    )


def _seconds_cell(entry: AnnotationEntry, role: str) -> float | None:
    text = cell_text(entry.seconds.get(role, ""))
    if is_absent(text):
        return None
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise BadData(
            f"{entry.location}: expected seconds from the start of the video in {role}_s, got {quote_cell(text)}; "
            "write them as 12.345."
        )
    return value
