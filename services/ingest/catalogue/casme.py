"""CASME (Yan et al. 2013): folders as in CASME II, `sub03/EP07_1/EP07_1-101.jpg`, crops `reg_EP07_1-101.jpg`.

Some numbers are padded. 60 frames per second. Of two apex columns the first counts.
"""

from services.ingest.catalogue.clip_folders import FolderPattern
from services.ingest.catalogue.distribution import Distribution

CASME = Distribution(
    key="casme",
    name="CASME",
    example="Cropped/sub01/EP01_5/reg_EP01_5-001.jpg",
    fps=60.0,
    patterns=(FolderPattern("sub{subject}/{clip}"),),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("OnsetF",),
        "apex": ("ApexF1",),
        "offset": ("OffsetF",),
        "aus": ("AU", "Action Units"),
        "emotion": ("Emotion", "Estimated Emotion"),
    },
    optional=frozenset({"aus", "emotion"}),
)
CASME_LAYOUT = CASME.layout
