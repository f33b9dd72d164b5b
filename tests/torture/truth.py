"""What is dropped: datasets of tiny clips, some of them poison, some dropped anew or relabelled while all else runs.

It knows the layout of a dataset (docs/how-to/datasets.md) and nothing of the services.
"""

import json
import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

POISONS = ("bad-data", "killed", "crash", "memory", "endless")
EMOTIONS = ("happiness", "surprise", "disgust", "others")
FRAMES = (1, 2, 3)
PIXELS = cv2.imencode(".png", np.full((16, 16, 3), 128, np.uint8))[1].tobytes()
HEADER = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"


@dataclass(frozen=True)
class TrueClip:
    """A clip as it is now. version: how often its frames were dropped, from 1 on."""

    dataset: str
    subject: str
    clip: str
    number: int
    version: int
    emotion: str
    poison: str

    @property
    def identity(self) -> str:
        return f"{self.dataset}/{self.subject}/{self.clip}"

    def frame_files(self) -> Iterator[tuple[str, bytes]]:
        """Keys in the bucket and bytes: a sound picture, and after it what the clip is."""
        told = json.dumps({"number": self.number, "version": self.version, "poison": self.poison})
        for frame in FRAMES:
            yield f"{self.dataset}/frames/{self.clip}/img{frame}.png", PIXELS + b"\n" + told.encode()

    @property
    def row(self) -> str:
        return f"{self.dataset},{self.subject},{self.clip},frames/{self.clip},1,2,3,200,{self.emotion},12"


class Truth:
    """All clips by identity, changed by one thread at a time."""

    def __init__(self, seed: int, clips: int, datasets: int, poison_share: float) -> None:
        chance = random.Random(f"truth {seed}")
        self.lock = threading.Lock()
        self.clips: dict[str, TrueClip] = {}
        for number in range(clips):
            dataset = f"set{number % datasets:02d}"
            poison = chance.choice(POISONS) if chance.random() < poison_share else ""
            made = TrueClip(dataset, f"s{number % 7}", f"c{number:05d}", number, 1, chance.choice(EMOTIONS), poison)
            self.clips[made.identity] = made

    @property
    def datasets(self) -> list[str]:
        return sorted({clip.dataset for clip in self.clips.values()})

    def clips_of(self, dataset: str) -> list[TrueClip]:
        return [clip for clip in self.clips.values() if clip.dataset == dataset]

    def sheet_of(self, dataset: str) -> tuple[str, bytes]:
        """Key and bytes of the dataset's clips.csv."""
        return f"{dataset}/clips.csv", "\n".join([HEADER, *(clip.row for clip in self.clips_of(dataset))]).encode()

    def drop_anew(self, identity: str) -> TrueClip:
        """The clip with new frames."""
        return self._change(identity, version=self.clips[identity].version + 1)

    def relabel(self, identity: str, emotion: str) -> TrueClip:
        return self._change(identity, emotion=emotion)

    def _change(self, identity: str, **changes: object) -> TrueClip:
        with self.lock:
            self.clips[identity] = replace(self.clips[identity], **changes)  # type: ignore[arg-type]
            return self.clips[identity]
