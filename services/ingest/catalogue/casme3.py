"""CAS(ME)^3 (Li et al. 2022), parts A and C: long videos as `part_A/spNO.1/a/color/123.jpg`, depth beside them.

30 frames per second. Several expressions have one file name. Part C codes no apex and writes units between commas.
"""

from services.ingest.catalogue.clip_folders import FolderPattern
from services.ingest.catalogue.distribution import Distribution

SUBJECT_SPELLING = r"(?:sp)?(?:NO)?[ ._-]*0*(\d{1,18})"
MACRO_SHEET = r"(?i)\bmae\b|_mae_|macro"  # the sheet of macro-expressions has the same columns


def _part_patterns(*other_parts: str) -> tuple[FolderPattern, ...]:
    return (FolderPattern("spNO.{subject}/{clip}/color", {"subject": r"\d+"}, excluded_parents=frozenset(other_parts)),)


CASME3A = Distribution(
    key="casme3a",
    name="CAS(ME)^3 A",
    example="part_A/spNO.1/a/color/123.jpg",
    fps=30.0,
    patterns=_part_patterns("part_b", "part_c", "part b", "part c"),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("Onset",),
        "apex": ("Apex",),
        "offset": ("Offset",),
        "aus": ("AU", "AUs"),
        "emotion": ("emotion",),
        "objective": ("Objective class",),
    },
    optional=frozenset({"aus", "objective"}),
    subject_digits=3,
    subject=SUBJECT_SPELLING,
    shares_file_names=True,
    ignored_sheets=MACRO_SHEET,
)
CASME3C = Distribution(
    key="casme3c",
    name="CAS(ME)^3 C",
    example="part_C/spNO.1/1/color/123.jpg",
    fps=30.0,
    patterns=_part_patterns("part_a", "part_b", "part a", "part b"),
    columns={
        "subject": ("sub",),
        "clip": ("count",),
        "onset": ("onset",),
        "offset": ("offset",),
        "aus": ("au",),
        "emotion": ("emotion",),
    },
    optional=frozenset({"aus"}),
    subject_digits=3,
    subject=SUBJECT_SPELLING,
    shares_file_names=True,
    ignored_sheets=MACRO_SHEET,
)
CASME3A_LAYOUT = CASME3A.layout
CASME3C_LAYOUT = CASME3C.layout
