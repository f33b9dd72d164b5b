"""Which dead letters may be replayed: not those of clips and videos that were replaced or removed since.

Their records would be computed for nobody. `mer dead-letters replay` and the console replay by `replay_letters`.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing

from shared.bus import Bus
from shared.bus.dead_letters import DeadLetter, replay_letter
from shared.bus.topics import IMAGE_STAGES, SPOTTED, VIDEOS
from shared.dataset_notices import read_datasets
from shared.errors import BadData
from shared.records import Dataset, Record
from shared.store import Store
from shared.topic_views import record_view
from shared.video_records import SPOTTER_STAGE, SpottedVideo, Video


class ReplayCheck:
    """Compares letters with what is announced. It reads the topics once."""

    def __init__(self, bus: Bus, store: Store) -> None:
        with closing(record_view(bus, VIDEOS.name, lambda key: Video)) as videos:
            self._videos = videos.read_newest()
        with closing(record_view(bus, SPOTTED.name, lambda key: SpottedVideo)) as view:
            spotted = [each for each in view.read_newest().values() if self._is_present(each.video)]
        announced: list[Dataset | SpottedVideo] = [*read_datasets(bus, store).values(), *spotted]
        self._present_keys = {
            key.rpartition("@")[0]: key for each in announced for key in each.clip_keys.values()
        }  # by sample and pipeline

    def explain_refusal(self, letter: DeadLetter) -> str:
        """Why the letter must not be replayed, as a sentence. "" if it may, or if nothing is known about it."""
        if letter.is_lost:
            return f"{letter.key}: its message was too large for the bus, and what was stored instead is gone."
        try:
            if letter.group in IMAGE_STAGES:
                record = Record.decode(letter.value)
                if self._present_keys.get(record.clip_name, record.key) != record.key:
                    return f"{record.sample.identity}: another source or other labels were uploaded since."
            elif letter.group == SPOTTER_STAGE:
                video = Video.decode(letter.value)
                if not self._is_present(video):
                    return f"{video.name}: the video was replaced or removed since."
        except BadData:  # its group says what is wrong with it
            pass
        return ""

    def _is_present(self, video: Video) -> bool:
        return video.is_same_upload(self._videos.get(video.key))


def replay_letters(bus: Bus, store: Store, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, str]]:
    """Replay the letters that may be. Yields each with "", or with the sentence that says why it is refused."""
    check = ReplayCheck(bus, store)
    for letter in letters:
        refusal = check.explain_refusal(letter)
        if not refusal:
            replay_letter(bus, letter)
        yield letter, refusal
