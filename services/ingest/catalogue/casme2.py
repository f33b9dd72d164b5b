"""CASME II (Yan et al. 2014) as distributed: one coding sheet, `Cropped/sub01/EP02_01f/reg_img46.jpg` and/or
`CASME2_RAW_selected/sub01/EP02_01f/img46.jpg`; 200 frames per second; numbers are absolute and unpadded."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from services.ingest.catalogue import sheet
from services.ingest.catalogue.cells import text
from services.ingest.catalogue.entry import Entry, Layout, Prefer
from shared.errors import BadData

FPS = 200.0
COLUMNS = ("Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Action Units", "Estimated Emotion")

_SUBJECT = re.compile(r"(?:sub|s)?[ _-]?0*(\d+)", re.IGNORECASE)


def recognises(folder: Path) -> bool:
    return bool(sheet.files(folder) or _roots(folder))


def entries(folder: Path, dataset: str, prefer: Prefer) -> Iterator[Entry]:
    """One entry per row of the coding sheet, its frames in the preferred root or, if there is none, in the other."""
    coding = sheet.coding_sheet(folder, COLUMNS)
    root, cropped = _root(folder, prefer)
    subjects = {_subject(child.name): child for child in sorted(root.iterdir()) if child.is_dir()}
    for where, row in coding.rows():
        subject, clip = _subject(text(row["Subject"])), text(row["Filename"])
        yield Entry(
            where=where,
            dataset=dataset,
            subject=subject,
            clip=clip,
            place=_clip_folder(subjects.get(subject, root / f"sub{subject}"), clip),
            onset=row["OnsetFrame"],
            apex=row["ApexFrame"],
            offset=row["OffsetFrame"],
            fps=FPS,
            emotion=row["Estimated Emotion"],
            aus=row["Action Units"],
            cropped=cropped,
        )


def _subject(name: str) -> str:
    """1, '01', 'sub01' -> '01'; a name that is no number stays, without its 'sub'."""
    name = unicodedata.normalize("NFC", name).strip()
    number = _SUBJECT.fullmatch(name)
    return f"{int(number[1]):02d}" if number else re.sub("^sub", "", name, flags=re.IGNORECASE)


def _clip_folder(subject: Path, clip: str) -> Path:
    """The clip's folder, whichever way its accents and its case are written on disk."""
    if not subject.is_dir():
        return subject / clip
    folders = {_folded(child.name): child for child in sorted(subject.iterdir())}
    return folders.get(_folded(clip), subject / clip)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _root(folder: Path, prefer: Prefer) -> tuple[Path, bool]:
    """Where the frames lie and whether they are face crops."""
    roots = _roots(folder)
    if not roots:
        raise BadData(
            f"{folder}: expected frames in Cropped/sub01/... or CASME2_RAW_selected/sub01/..., got no folder sub01 in "
            f"{', '.join(sorted(child.name for child in folder.iterdir()))}; unpack the frames beside the sheet."
        )
    wanted = prefer == "cropped"
    same = [root for root, cropped in roots.items() if cropped == wanted] or list(roots)
    if len(same) > 1:
        names = " and ".join(str(root.relative_to(folder)) for root in same)
        raise BadData(f"{folder}: expected one folder of {prefer} frames, got {names}; move one out of the dataset.")
    return same[0], roots[same[0]]


def _roots(folder: Path) -> Mapping[Path, bool]:
    """Folders whose children are subjects: the dataset folder itself, or one or two levels below it."""
    candidates = [folder, *folder.glob("*"), *(grand for child in folder.glob("*") for grand in _non_subjects(child))]
    return {root: _is_cropped(folder, root) for root in sorted(set(candidates)) if _has_subjects(root)}


def _non_subjects(child: Path) -> list[Path]:
    if not child.is_dir() or _has_subjects(child) or _is_subject(child):
        return []
    return list(child.glob("*"))


def _has_subjects(root: Path) -> bool:
    """Subjects hold clips, which are folders: a folder of something else by subject is no place of frames."""
    return root.is_dir() and any(_is_subject(child) and _holds_folders(child) for child in root.iterdir())


def _holds_folders(folder: Path) -> bool:
    return any(child.is_dir() for child in folder.iterdir())


def _is_subject(folder: Path) -> bool:
    return folder.name.lower().startswith("sub") and folder.is_dir()


def _is_cropped(folder: Path, root: Path) -> bool:
    if root == folder:
        return next(root.glob("*/*/reg_*"), None) is not None
    return "crop" in str(root.relative_to(folder)).casefold()


LAYOUT = Layout(
    name="CASME II",
    expects="a CASME II coding sheet (.xlsx) beside Cropped/ or CASME2_RAW_selected/",
    recognises=recognises,
    entries=entries,
)
