"""Recognition beside watching: what it is given, and what it answers."""

from dataclasses import dataclass
from typing import Protocol

from merstream.live.face_ring import KeptClip
from services.trainer.recogniser.recognition import RecognisedExpression
from shared.prediction.model import UsedModel
from shared.records import Pipeline


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready, and the settings of the image stages that it needs."""

    model: UsedModel
    pipeline: Pipeline


@dataclass(frozen=True)
class RecognisedClip:
    """The answer for an event, by its number: what was recognised, or a sentence why nothing was."""

    number: int
    found: RecognisedExpression | None
    failure: str = ""


class ClipRecogniser(Protocol):
    """Recognises one clip at a time. `loaded`: None as long as there is no model yet."""

    @property
    def loaded(self) -> LoadedModel | None: ...

    @property
    def is_idle(self) -> bool: ...

    def start_clip(self, number: int, clip: KeptClip) -> None: ...

    def take_answer(self, wait: float = 0.0) -> RecognisedClip | None:
        """The answer for the clip that was started, if it is there within `wait` s."""
