"""One pass over a recording: its faces, their motion and events, and a clip of each event."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shared.packed_clips import PackedClip
from shared.prediction.model import Prediction
from shared.records import json_digest
from shared.stage import Arrays
from shared.video_records import SPOTTER_STAGE

SPOTTER_VERSION = 1  # raise it when the same bytes of a video give other events or motion

PassProgress = Callable[[float], None]  # share of the recording that is watched. It may raise to end the pass


@dataclass(frozen=True)
class SpottedRecording:
    """draft: a prediction whose events are not recognised. motion: the artifact's arrays, any shape [...].

    clips: the event's id and its clip, one at a time. faults: sentences on events that became no clip, by id.
    """

    draft: Prediction
    motion: Arrays
    clips: Iterable[tuple[int, PackedClip]]
    faults: Mapping[int, str] = field(default_factory=dict)


class SpottingPass(Protocol):
    """What a `VideoHandler` calls for a file. `spot_recording` is the real one."""

    def __call__(self, file: Path, name: str, chunks: Path, on_progress: PassProgress, /) -> SpottedRecording: ...


def spotting_recipe(sha256: str) -> str:
    """Digest of everything that shapes what is spotted in the bytes with this digest."""
    return json_digest([SPOTTER_STAGE, SPOTTER_VERSION, sha256])[:32]
