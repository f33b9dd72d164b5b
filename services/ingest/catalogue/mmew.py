"""MMEW (Ben et al. 2021), its 300 micro-expressions: `Micro_Expression/disgust/S03-01-002/1.jpg`.

Faces are cropped to 231 x 231 px, and every clip counts from 1. Clips with the label others are in the folder
repression.
"""

from services.ingest.catalogue.clip_folders import FolderPattern
from services.ingest.catalogue.distribution import Distribution

MMEW_EMOTIONS = "anger|disgust|fear|happiness|others?|repression|sadness|surprise"

MMEW = Distribution(
    key="mmew",
    name="MMEW",
    example="Micro_Expression/disgust/S03-01-002/1.jpg",
    fps=90.0,
    patterns=(
        FolderPattern(
            "{emotion}/{clip}", {"emotion": MMEW_EMOTIONS, "clip": r"S(?P<subject>\d+)-\d+-\d+"}, cropped=True
        ),
    ),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("OnsetFrame",),
        "apex": ("ApexFrame",),
        "offset": ("OffsetFrame",),
        "aus": ("Action Units",),
        "emotion": ("Estimated Emotion",),
    },
    optional=frozenset(),
    clip=r"S\d+-\d+-\d+",
    subject_in_clip=r"S(\d+)-",
    folders={"repression": "others", "other": "others"},
)
MMEW_LAYOUT = MMEW.layout
