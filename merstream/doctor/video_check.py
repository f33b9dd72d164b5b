"""What a clip's video is: its frames and times by the index, and with `deep` every picture of the clip decoded."""

from collections import Counter
from dataclasses import dataclass, field

from services.ingest.catalogue.entry import FoundClip
from services.ingest.repeats import follow_repeats
from services.ingest.video_locating import locate_clip
from shared.errors import BadData
from shared.video.clock import VideoClock
from shared.video.index import VideoIndex, read_file_index
from shared.video.pictures import is_square
from shared.video.reading import read_pictures


@dataclass
class VideoFindings:
    """Sentences on the video of one clip. `contradictions` continue the name of the file."""

    problems: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    contradictions: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    frames: int = 0
    sizes: Counter[str] = field(default_factory=Counter)


def check_video(clip: FoundClip, deep: bool) -> VideoFindings:
    """Examine a clip's video. Bad data becomes a finding and raises no error."""
    found = VideoFindings()
    try:
        index = read_file_index(clip.files[0])
    except BadData as fault:
        found.problems.append(f"{clip.location}: {fault}")
        return found
    found.sizes[f"{index.size[0]}x{index.size[1]}"] += 1
    found.contradictions += _list_contradictions(clip, index)
    try:
        located = locate_clip(clip)
    except BadData as fault:
        found.problems.append(str(fault))
        return found
    found.notes += located.notes[len(clip.notes) :]
    if located.span:
        places = range(located.span[0], located.span[2] + 1)
        found.frames = len(places)
        found.notes += _decoded_notes(clip, index, places, found) if deep else _declared_notes(index)
    return found


def _list_contradictions(clip: FoundClip, index: VideoIndex) -> list[str]:
    said = []
    clock = VideoClock(index, clip.fps)
    if clock.rate is None and index.rates:
        said.append(
            f"plays at {index.rates[0]:g} frames per second, the sheet says {clip.fps:g}. The sheet's rate is used. "
            "That is right for a high-speed recording that is played slowly"
        )
    if index.absent:
        said.append(f"declares {index.declared} frames in its header and has {index.declared - index.absent}")
    if index.restart is not None:
        said.append(f"has time stamps that begin anew at frame {index.restart}. Its frames were counted")
    return said


def _declared_notes(index: VideoIndex) -> list[str]:
    notes = []
    if not is_square(index.aspect):
        notes.append(f"pixels of {index.aspect.numerator}:{index.aspect.denominator} will be scaled to square ones")
    if index.is_interlaced:
        notes.append("the video declares itself interlaced. --deep measures whether it is")
    return notes


def _decoded_notes(clip: FoundClip, index: VideoIndex, places: range, found: VideoFindings) -> list[str]:
    notes: list[str] = []
    try:
        pictures = read_pictures(clip.files[0], index, places, notes)
        for _ in follow_repeats(((str(at), pixels) for at, pixels in pictures), places.start, notes):
            pass
    except BadData as fault:
        found.unreadable.append(str(fault))
    return notes
