"""CASME II (Yan et al. 2014): one coding sheet of 246 to 256 rows, and crops or raw frames or both.

Crops are `Cropped/sub01/EP02_01f/reg_img46.jpg`, raw frames `CASME2_RAW_selected/sub01/EP02_01f/img46.jpg`. Numbers are
absolute and not padded. Objective classes are in a sheet of their own.
"""

from services.ingest.catalogue.clip_folders import FolderPattern
from services.ingest.catalogue.distribution import Distribution

CASME2 = Distribution(
    key="casme2",
    name="CASME II",
    example="Cropped/sub01/... or CASME2_RAW_selected/sub01/...",
    fps=200.0,
    patterns=(FolderPattern("sub{subject}/{clip}"),),
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
    extra_label_sheets={
        "objective": {"subject": ("Subject",), "clip": ("Filename",), "label": ("Objective Class", "Objective Classes")}
    },
)
CASME2_LAYOUT = CASME2.layout
