"""DFME (Zhao et al. 2023), from its challenge or as a whole.

The challenge has `DFME_train/sub0003_01/00001.png`, the whole dataset `USTC_MEv4_partA_sub0003/micro/disgust/<clip>/`.
The frame rate is in the sheet, or else that of the part.
"""

from services.ingest.catalogue.clip_folders import ClipFolder, FolderPattern
from services.ingest.catalogue.distribution import Distribution
from shared.tables.rows import TableRow

RATES = {"a": 500.0, "b": 300.0, "c": 200.0, "d": 200.0}
DFME_EMOTIONS = "anger|contempt|disgust|fear|happiness|others?|sadness|surprise"


def part_frame_rate(row: TableRow, clip_folder: ClipFolder | None) -> object:
    """Frames per second of the part in which the clip's folder is. None if it is unknown."""
    return RATES.get(clip_folder.fields.get("part", "").casefold()) if clip_folder else None


DFME = Distribution(
    key="dfme",
    name="DFME",
    example="DFME_train/sub0003_01/00001.png",
    fps=200.0,
    patterns=(
        FolderPattern(
            "USTC_MEv4_part{part}_sub{gap}{subject}/micro/{emotion}/{clip}",
            {"part": "[A-D]", "gap": "_?", "subject": r"\d+", "emotion": DFME_EMOTIONS},
        ),
        FolderPattern("{clip}", {"clip": r"sub(?P<subject>\d{1,5})_\d+"}),
    ),
    columns={
        "subject": ("Subject",),
        "clip": ("Filename",),
        "onset": ("OnsetFrame",),
        "apex": ("ApexFrame",),
        "offset": ("OffsetFrame",),
        "emotion": ("Emotion",),
        "fps": ("Fps", "FPS"),
        "aus": ("AU", "AUs"),
    },
    optional=frozenset({"fps", "aus"}),
    subject_digits=4,
    clip=r"sub\d{1,5}_\d+",
    subject_in_clip=r"sub(\d{1,5})_",
    renumbered=True,
    row_frame_rate=part_frame_rate,
)
DFME_LAYOUT = DFME.layout
