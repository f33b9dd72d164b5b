"""Whose face a clip shows: the face that is there from its first frame to the offset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.ingest.catalogue.named_face import read_named_face
from services.ingest.crop import Crop
from services.ingest.face_tracks import CONFIDENT, FaceTrack, choose_probes, face_crop, follow_faces
from services.ingest.person_choice import (
    SkinMotion,
    choose_lasting_face,
    choose_named_face,
    describe_doubt,
    drop_clutter,
    measure_face_motion,
)
from services.ingest.source_reading import Source
from services.ingest.steady_face_box import average_box
from shared.errors import BadData
from shared.face_detectors import choose_detector
from shared.faces import Detector, FaceBox, describe_box, search_faces
from shared.stage_settings.ingest import IngestSettings

INSIDE = 0.75  # share of the face's box that must lie in the crop
WHOLLY_INSIDE = 0.95  # a smaller share gets a note


@dataclass(frozen=True)
class PersonCrop:
    """The crop around the face of a clip's person, set by that face's box, px, in the frame with index `start`."""

    crop: Crop
    box: FaceBox
    start: int


def find_person(source: Source, settings: IngestSettings) -> PersonCrop:
    """The crop around the clip's person. Notes about other faces go to `source.notes`.

    Faces are searched in the onset frame, then in the frames after it up to the apex. Raises BadData if there is no
    face, if none lasts from there to the offset, and if it is not clear which of several is meant.
    """
    last = source.offset if source.apex is None else source.apex
    detect = choose_detector(settings.detector)
    tries = 1 + min(settings.face_search, last - source.onset)
    first_name = ""
    for start in range(tries):
        probes = _probe_indices(source, start)
        looks = source.read_frames(probes)
        name, frame = next(looks)
        first_name = first_name or name
        try:
            found = search_faces(frame, settings.upsample, detect)
        except BadData as error:
            fault = error
            continue
        later = ((index, *look) for index, look in zip(probes[1:], looks, strict=True))
        chosen = _choose_track(follow_faces((start, name, frame), found, later, settings), source, detect)
        if start:
            source.notes.append(f"no face was found in {first_name}: the crop was set by {name}")
        box = average_box(frame, chosen.box, settings.box_passes, detect)
        crop = face_crop(box, settings)
        _check_place(chosen, crop, source)
        return PersonCrop(crop, box, start)
    raise BadData(f"{first_name} (and {tries - 1} frames after it): {fault}.")


def _probe_indices(source: Source, start: int) -> list[int]:
    apex = None if source.apex is None else source.apex - source.onset
    return [start, *(index for index in choose_probes(source.length, apex, source.fps) if index > start)]


def _choose_track(tracks: Sequence[FaceTrack], source: Source, detect: Detector) -> FaceTrack:
    """The face of the clip's person, with notes about the others."""
    start = tracks[0].start
    first = drop_clutter([track for track in tracks if track.start == start])
    named = read_named_face(source.face)

    def measure(track: FaceTrack) -> SkinMotion:
        return _measure_motion(track, source, detect)

    if not named:
        chosen, why = choose_lasting_face(first, measure)
        _refuse_late_person(chosen, tracks, source, measure)
    else:
        chosen, why = choose_named_face(first, named)
    for track in tracks:
        if track is not chosen and track.score >= CONFIDENT:
            source.notes.append(_describe_other(track, start, why))
    return chosen


def _refuse_late_person(
    chosen: FaceTrack, tracks: Sequence[FaceTrack], source: Source, measure: Callable[[FaceTrack], SkinMotion]
) -> None:
    """Refuse a clip whose only face at the beginning is still, if a face that moves comes before the apex."""
    middle = source.length // 2 if source.apex is None else source.apex - source.onset
    for track in tracks:
        late = chosen.start < track.start <= middle and not track.missing
        if late and measure(track).alive and not measure(chosen).alive:
            raise BadData(describe_doubt([chosen, track], f"The second one comes in {track.name}, the first is still"))


def _measure_motion(track: FaceTrack, source: Source, detect: Detector) -> SkinMotion:
    following = min(track.start + 1, source.length - 1)
    shown = [track.start, following, *_probe_indices(source, following)[1:]]
    return measure_face_motion(track, [frame for _, frame in source.read_frames(shown)], detect)


def _describe_other(track: FaceTrack, start: int, why: str) -> str:
    if track.start > start:
        why = "it comes later"
    elif track.missing:
        why = "it is not there until the offset"
    return f"another face, at {describe_box(track.box)} px in {track.name}, was left out: {why}"


def _check_place(track: FaceTrack, crop: Crop, source: Source) -> None:
    """Refuse a clip whose face leaves the crop, and note where a part of it does."""
    shares = {index: _share_inside(box, crop) for index, box in track.seen.items()}
    index, least = min(shares.items(), key=lambda item: item[1])
    if least >= WHOLLY_INSIDE:
        return
    place = f"the face is at {describe_box(track.box)} px in {track.name} and at {describe_box(track.seen[index])} px"
    number = source.onset + index
    if least < INSIDE:
        raise BadData(
            f"{track.name}: expected a face that stays in its crop until the offset, but {place} in frame {number}; "
            "shorten the clip or give frames that are registered to the face."
        )
    source.notes.append(f"a part of the face leaves the crop: {place} in frame {number}")


def _share_inside(box: FaceBox, crop: Crop) -> float:
    left, top, right, bottom = box
    across = min(right, crop.left + crop.width - 1) - max(left, crop.left)
    down = min(bottom, crop.top + crop.height - 1) - max(top, crop.top)
    return max(across, 0) * max(down, 0) / ((right - left) * (bottom - top))
