"""4DME (Li et al. 2022), its grey videos: `gray_micro/<sub_ID>/<fold_name>/`, 60 frames per second.

Units marked (k) are in doubt. A clip may have several of the five labels. The column Emotion has them as one text.
"""

from services.ingest.catalogue.clip_folders import FolderPattern
from services.ingest.catalogue.distribution import Distribution

FOURDME = Distribution(
    key="4dme",
    name="4DME",
    example="gray_micro/<sub_ID>/<fold_name>/",
    fps=60.0,
    patterns=(FolderPattern("gray_micro/{subject}/{clip}"),),
    columns={
        "subject": ("sub_ID",),
        "clip": ("fold_name",),
        "onset": ("Onset",),
        "apex": ("Apex",),
        "offset": ("Offset",),
        "aus": ("AUs",),
        "emotion": ("Emotion",),
    },
    optional=frozenset({"aus"}),
    renumbered=True,
)
FOURDME_LAYOUT = FOURDME.layout
