"""SAMM (Davison et al. 2016): `006/006_1_2/006_05562.jpg`, absolute numbers, mostly of five digits.

The sheet has a preamble of 13 lines, estimated emotions beside objective classes, and units with sides and intensities.
"""

from services.ingest.catalogue.clip_folders import FolderPattern
from services.ingest.catalogue.distribution import Distribution

SAMM = Distribution(
    key="samm",
    name="SAMM",
    example="006/006_1_2/006_05562.jpg",
    fps=200.0,
    patterns=(FolderPattern("{subject}/{clip}", {"subject": r"\d{1,3}", "clip": r"\d{1,3}_\d+_\d+"}),),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("Onset Frame",),
        "apex": ("Apex Frame",),
        "offset": ("Offset Frame",),
        "duration": ("Duration",),
        "aus": ("Action Units",),
        "emotion": ("Estimated Emotion",),
        "objective": ("Objective Classes", "Objective Class"),
    },
    optional=frozenset({"duration", "objective"}),
    subject_digits=3,
    clip=r"\d{1,3}_\d+_\d+",
    subject_in_clip=r"(\d{1,3})_",
)
SAMM_LAYOUT = SAMM.layout
