"""Folders that merstream wrote: runs, reports, pictures of clips, drawn datasets. Inside a dataset they are no data.

A folder is known by the files that its command always writes, not by its own name: a subject's folder may be called
`out`. File names suffice, so that an uploaded dataset can be judged before its files are fetched.
"""

import os
import re
from collections.abc import Set
from pathlib import Path

DRAWN_DATASET = "`mer synth`"

_RUN_BUS = "bus.sqlite"  # of every run, and of a stack on one machine
_REPORT_FILES = frozenset({"report.json", "predictions.csv", "per_subject.csv"})
_UNFINISHED_REPORT = frozenset({"run.json", "folds"})
_DRAWN_SHEET = "CASME2-coding-synthetic.xlsx"
_DRAWN_FRAMES = frozenset({"CASME2_RAW_selected", "Cropped"})
_CLIP_PICTURE = re.compile(r".+-(1-clip|2-timeline|3-magnified|4-flow|5-rois)\.png")


def describe_own_output(names: Set[str]) -> str:
    """What wrote a folder with files and folders of these names: "`mer run`", ... '' if it was not merstream."""
    if _RUN_BUS in names:
        return "`mer run`"
    if names >= _REPORT_FILES or names >= _UNFINISHED_REPORT:
        return "`mer train`"
    if _DRAWN_SHEET in names and names & _DRAWN_FRAMES:
        return DRAWN_DATASET
    return "`mer show`" if _are_clip_pictures(names) else ""


def find_own_output(folder: Path) -> str:
    """The same for a folder on this machine. '' if it cannot be read."""
    try:
        return describe_own_output(frozenset(os.listdir(folder)))  # noqa: PTH208 (10,000s of names)
    except OSError:
        return ""


def _are_clip_pictures(names: Set[str]) -> bool:
    """Whether there is nothing but pictures of clips, beside what operating systems leave."""
    shown = [name for name in names if not name.startswith(".") and name.casefold() != "thumbs.db"]
    return bool(shown) and all(_CLIP_PICTURE.fullmatch(name) for name in shown)
