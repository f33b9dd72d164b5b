"""SMIC-HS (Li et al. 2013): `SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/reg_image000120.bmp`.

There is no official sheet: a clip has all frames of its folder, and the folder's label. SMIC-HS-E has longer cuts of
the same clips. Its sheet counts frames from the column FirstF.
"""

from services.ingest.catalogue.clip_folders import FolderPattern
from services.ingest.catalogue.distribution import Distribution

CLIP_EXPRESSION = r"s(?P<subject>\d+)_(?:ne|po|sur)_\d+"
SHEET_CLIP_EXPRESSION = r"s?\d+_(?:ne|po|sur)_\d+"
OTHER_CAMERAS = frozenset({"vis", "nir"})

SMIC_HS = Distribution(
    key="smic-hs",
    name="SMIC-HS",
    example="SMIC_all_cropped/HS/s1/micro/negative/s1_ne_01/",
    fps=100.0,
    patterns=(
        FolderPattern(
            "s{person}/micro/{emotion}/{clip}",
            {"person": r"\d+", "emotion": "negative|positive|surprise", "clip": CLIP_EXPRESSION},
            excluded_parents=OTHER_CAMERAS,
        ),
    ),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("OnsetFrame",),
        "apex": ("ApexFrame",),
        "offset": ("OffsetFrame",),
        "emotion": ("Estimated Emotion", "Emotion"),
    },
    optional=frozenset({"apex", "emotion"}),
    sheet="optional",
    clip=SHEET_CLIP_EXPRESSION,
    subject_in_clip=r"s?(\d+)_",
)
SMIC_E = Distribution(
    key="smic-e",
    name="SMIC-HS-E",
    example="HS_long/SMIC-HS-E/s1_ne_01/image000001.jpg",
    fps=100.0,
    patterns=(
        FolderPattern(
            "{clip}",
            {"clip": CLIP_EXPRESSION},
            excluded_parents=OTHER_CAMERAS | {"micro", "negative", "positive", "surprise"},
        ),
    ),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "first": ("FirstF", "FirstFrame"),
        "onset": ("OnsetF", "OnsetFrame"),
        "apex": ("ApexF", "ApexFrame"),
        "offset": ("OffsetF", "OffsetFrame"),
        "emotion": ("Emotion", "Estimated Emotion"),
    },
    optional=frozenset({"apex"}),
    clip=SHEET_CLIP_EXPRESSION,
    subject_in_clip=r"s?(\d+)_",
    footer=True,
)
SMIC_HS_LAYOUT = SMIC_HS.layout
SMIC_E_LAYOUT = SMIC_E.layout
