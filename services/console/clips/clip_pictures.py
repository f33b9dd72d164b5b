"""The pictures of clips that pages show: what there is, and the thread that draws it."""

from collections.abc import Mapping
from dataclasses import dataclass

from fastapi import HTTPException

from services.console.clips.artifact_reader import ArtifactReader
from services.console.clips.drawing_thread import DrawingThread
from shared.errors import BadData
from shared.records import Record


@dataclass(frozen=True)
class PictureKind:
    """A kind of picture. `stages` are those whose artifacts it shows, the one with its factors last."""

    title: str
    about: str
    stages: tuple[str, ...]
    has_factor: bool = False


PICTURE_KINDS: Mapping[str, PictureKind] = {
    "original": PictureKind(
        "Frames as recorded", "The face that was cut out, from onset to offset. Long clips are thinned.", ("ingest",)
    ),
    "interpolated": PictureKind(
        "Frames after interpolation",
        "Above each frame is its place among the recorded ones.",
        ("interpolator",),
    ),
    "magnified": PictureKind("Magnified frames", "The same frames with larger motion.", ("magnifier",), True),
    "flow": PictureKind(
        "Flow in colour", "The motion between two frames each: hue is direction, strength is length.", ("flow",), True
    ),
    "arrows": PictureKind(
        "Flow as arrows",
        "The motion from the onset to the apex, over the onset.",
        ("interpolator", "flow"),
        True,
    ),
    "rois": PictureKind(
        "Regions of interest",
        "The 30 landmarks around which features are cut out, with their motion up to the apex.",
        ("interpolator", "roi-au", "flow"),
        True,
    ),
}


class ClipDrawer:
    """Draws pictures of clips."""

    def __init__(self, artifacts: ArtifactReader, thread: DrawingThread) -> None:
        self.artifacts, self.thread = artifacts, thread

    def draw_picture(self, record: Record, kind: str, factor: int | None) -> bytes:
        """A JPEG. `factor` is an index among the clip's factors, None for the middle one.

        Raises HTTPException: 404 for an unknown kind or factor and for an artifact that is gone, 409 for one of another
        version, 413 for one that is too large. Raises Unavailable if others are drawn for too long.
        """
        if kind not in PICTURE_KINDS:
            raise HTTPException(404, f"No picture {kind!r}; there are {', '.join(PICTURE_KINDS)}.")
        return self.thread.draw_picture(lambda: self._draw_once(record, kind, factor))

    def list_factors(self, record: Record) -> list[float]:
        """The factors of magnification, [] if the artifacts that have them are gone."""
        for stage in ("roi-au", "magnifier", "flow"):
            if stage in record.artifacts:
                try:
                    with self.artifacts.open_arrays(record.artifacts[stage]) as arrays:
                        return [float(each) for each in arrays.read_rows("factors")]
                except (HTTPException, BadData):
                    continue
        return []

    def _draw_once(self, record: Record, kind: str, factor: int | None) -> bytes:
        from services.console.clips import clip_drawing  # OpenCV, which the console loads with its first picture

        try:
            index = self._choose_factor(record, kind, factor)
            return clip_drawing.draw_kind(self.artifacts, record, kind, index)
        except (BadData, KeyError, IndexError, ValueError) as fault:
            raise HTTPException(409, f"{record.sample.identity}: the picture cannot be drawn: {fault}") from None

    def _choose_factor(self, record: Record, kind: str, factor: int | None) -> int:
        if not PICTURE_KINDS[kind].has_factor:
            return 0
        stage = PICTURE_KINDS[kind].stages[-1]
        if stage not in record.artifacts:
            raise HTTPException(404, f"{record.sample.identity} has no artifact of {stage}.")
        with self.artifacts.open_arrays(record.artifacts[stage]) as arrays:
            count = len(arrays.read_rows("factors"))
        if factor is None:
            return count // 2
        if not 0 <= factor < count:
            raise HTTPException(404, f"No factor {factor}; the clip has {count}, counted from 0.")
        return factor
