"""CAS(ME)^3 (Li et al. 2022), parts A and C: long videos as `part_A/spNO.1/a/color/123.jpg` with depth beside them, 30
frames per second. Several expressions bear one file name; part C codes no apex and writes units between commas."""

from services.ingest.catalogue.clip_folders import Pattern
from services.ingest.catalogue.distribution import Distribution

SUBJECT = r"(?:sp)?(?:NO)?[ ._-]*0*(\d{1,18})"
MACRO = r"(?i)\bmae\b|_mae_|macro"  # the sheet of macro-expressions has the same columns


def _path(*other_parts: str) -> tuple[Pattern, ...]:
    return (Pattern("spNO.{subject}/{clip}/color", {"subject": r"\d+"}, strangers=frozenset(other_parts)),)


CASME3A = Distribution(
    key="casme3a",
    name="CAS(ME)^3 A",
    example="part_A/spNO.1/a/color/123.jpg",
    fps=30.0,
    patterns=_path("part_b", "part_c", "part b", "part c"),
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
    digits=3,
    subject=SUBJECT,
    several=True,
    ignore=MACRO,
)
CASME3C = Distribution(
    key="casme3c",
    name="CAS(ME)^3 C",
    example="part_C/spNO.1/1/color/123.jpg",
    fps=30.0,
    patterns=_path("part_a", "part_b", "part a", "part b"),
    columns={
        "subject": ("sub",),
        "clip": ("count",),
        "onset": ("onset",),
        "offset": ("offset",),
        "aus": ("au",),
        "emotion": ("emotion",),
    },
    optional=frozenset({"aus"}),
    digits=3,
    subject=SUBJECT,
    several=True,
    ignore=MACRO,
)
LAYOUT_A = CASME3A.layout
LAYOUT_C = CASME3C.layout
