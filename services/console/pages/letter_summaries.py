"""The outstanding dead letters of every group, in short."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from shared.bus import Bus
from shared.bus.dead_letters import DeadLetter
from shared.bus.topics import TOPIC_BY_GROUP
from shared.letter_selection import letter_id
from shared.store import Store
from shared.topic_views import letter_view


@dataclass(frozen=True)
class LetterSummary:
    """A dead letter without its message. `buried` is an ISO time, "" where none is known."""

    id: str
    group: str
    key: str
    reason: str
    buried: str
    lost: bool

    @property
    def name(self) -> str:
        """What a person calls the message: the clip, the video or the run."""
        return unquote(self.key.partition("@")[0])

    @property
    def position(self) -> tuple[str, str]:
        """Its place in lists by age. Times of letters are ISO times in UTC."""
        return self.buried, self.id

    @property
    def searched_text(self) -> str:
        """What a search looks at."""
        return f"{self.group} {self.name} {self.id}"


class LetterFollower:
    """Follows the dead letters. Each read takes only what is new."""

    def __init__(self, bus: Bus, store: Store) -> None:
        self._views = [letter_view(bus, store, group, summarise_letter) for group in TOPIC_BY_GROUP]

    def read_letters(self) -> Sequence[LetterSummary]:
        """All letters, the newest first. Raises Unavailable."""
        letters = [letter for view in self._views for letter in view.read_newest().values()]
        return sorted(letters, key=lambda letter: letter.position, reverse=True)

    def close(self) -> None:
        """Close the views. A later read opens them again."""
        for view in self._views:
            view.close()


def summarise_letter(letter: DeadLetter) -> LetterSummary:
    """The summary of a letter."""
    buried = letter.headers.get("buried", "")
    return LetterSummary(letter_id(letter), letter.group, letter.key, letter.reason, buried, letter.is_lost)
