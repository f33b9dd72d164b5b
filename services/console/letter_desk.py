"""Dead letters one by one: what is known of a letter, and its replay or end, by the functions that `mer` uses."""

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict

from fastapi import HTTPException
from pydantic import Field

from services.console.access.visitor import note_action
from services.console.clips.artifact_reader import ArtifactReader
from services.console.clips.source_frames import FoundFrame, read_frame
from services.console.pages.letter_summaries import LetterSummary, summarise_letter
from services.console.state_reader import StateReader, hold_lock
from shared.bus import Bus
from shared.bus.dead_letters import DeadLetter, discard_letter
from shared.errors import BadData
from shared.letter_replay import ReplayCheck, replay_letters
from shared.letter_selection import format_message_value, gather_letters, letter_id
from shared.records import FrozenModel, Record
from shared.store import Store


class LetterAnswer(FrozenModel):
    """A dead letter. `name` is what a person calls the message: the clip, the video or the run."""

    id: str
    url: str
    group: str
    key: str
    name: str
    reason: str
    buried: str = Field(description="Time at which it became a dead letter.")
    lost: bool = Field(description="Its message was too large for the bus, and what was stored instead is gone.")


class LetterDetail(LetterAnswer):
    """A dead letter with its message."""

    headers: dict[str, str]
    message: str = Field(description="JSON with indents. Any other message as hex.")
    refusal: str = Field(description="Why it must not be replayed. Empty if it may.")


class LetterSelection(FrozenModel):
    """Which letters: those with these ids, or all that a search finds. An empty search finds all."""

    ids: tuple[str, ...] = Field((), max_length=10_000, description="The `id` of each letter.")
    search: str | None = Field(None, max_length=200, description="Part of a group, a name or an id.")


class LetterOutcome(FrozenModel):
    """What became of the letters. `refused` has a sentence for each one that must not be replayed."""

    done: tuple[str, ...] = ()
    refused: dict[str, str] = Field(default_factory=dict)


class LetterDesk:
    """Reads and changes dead letters, for several threads. One at a time, since all letters are read for it."""

    def __init__(self, reader: StateReader, artifacts: ArtifactReader) -> None:
        self.reader, self.artifacts = reader, artifacts
        self._lock = threading.Lock()

    def describe_letter(self, id: str) -> tuple[LetterDetail, Record | None, FoundFrame | None]:
        """The letter, its clip's record and the frame that its reason is about. Raises HTTPException 404."""
        letter = self._find_letter(id)
        refusal = ReplayCheck(self._bus, self._store).explain_refusal(letter)
        record = _read_record(letter)
        try:
            frame = read_frame(self.artifacts, record, letter.reason)[0] if record else None
        except (HTTPException, BadData):  # the source is gone, too large or damaged
            frame = None
        message = format_message_value(letter.value)
        summary = describe_summary(summarise_letter(letter)).model_dump()
        detail = LetterDetail(**summary, headers=dict(letter.headers), message=message, refusal=refusal)
        return detail, record, frame

    def read_frame(self, id: str) -> tuple[FoundFrame, bytes]:
        """The frame that a letter's reason is about, and its file's bytes. Raises HTTPException 404."""
        letter = self._find_letter(id)
        if record := _read_record(letter):
            return read_frame(self.artifacts, record, letter.reason)
        raise HTTPException(404, f"Dead letter {id} is about no clip, so it has no frame.")

    def replay(self, selection: LetterSelection) -> LetterOutcome:
        """Put the messages back on their topics, but for those that are refused. Raises HTTPException 404, 422."""

        def replay_each(letters: Sequence[DeadLetter]) -> LetterOutcome:
            outcomes = {letter_id(each): why for each, why in replay_letters(self._bus, self._store, letters)}
            done = tuple(id for id, refusal in outcomes.items() if not refusal)
            return LetterOutcome(done=done, refused={id: why for id, why in outcomes.items() if why})

        return self._change_letters(selection, replay_each, "replayed")

    def discard(self, selection: LetterSelection) -> LetterOutcome:
        """Delete the letters. Raises HTTPException 404, 422."""

        def discard_each(letters: Sequence[DeadLetter]) -> LetterOutcome:
            for letter in letters:
                discard_letter(self._bus, letter)
            return LetterOutcome(done=tuple(map(letter_id, letters)))

        return self._change_letters(selection, discard_each, "discarded")

    def _change_letters(
        self, selection: LetterSelection, change: Callable[[Sequence[DeadLetter]], LetterOutcome], verb: str
    ) -> LetterOutcome:
        with hold_lock(self._lock, self.reader.timeout_seconds):
            outcome = change(self._select_letters(selection))
        for letter in outcome.done:
            note_action(f"dead letter {verb}", object=letter)
        return outcome

    def _select_letters(self, selection: LetterSelection) -> list[DeadLetter]:
        if (selection.search is None) == (not selection.ids):
            raise HTTPException(422, "Expected `ids` of dead letters or a `search`, got both or neither. Give one.")
        letters = {letter_id(letter): letter for letter in gather_letters(self._bus, self._store)}
        if selection.search is not None:
            found = find_summaries(map(summarise_letter, letters.values()), selection.search)
            return [letters[each.id] for each in found]
        if missing := [id for id in selection.ids if id not in letters]:
            raise HTTPException(404, _describe_missing(", ".join(missing[:20])))
        return [letters[id] for id in dict.fromkeys(selection.ids)]

    def _find_letter(self, id: str) -> DeadLetter:
        with hold_lock(self._lock, self.reader.timeout_seconds):
            found = [letter for letter in gather_letters(self._bus, self._store) if letter_id(letter) == id]
        if not found:
            raise HTTPException(404, _describe_missing(id))
        return found[0]

    @property
    def _bus(self) -> Bus:
        return self.reader.state.bus

    @property
    def _store(self) -> Store:
        return self.reader.state.store


def find_summaries(letters: Iterable[LetterSummary], search: str) -> list[LetterSummary]:
    """The letters with `search` in their group, name or id."""
    return [each for each in letters if search.strip().casefold() in each.searched_text.casefold()]


def describe_summary(letter: LetterSummary) -> LetterAnswer:
    """The answer for a letter in a list."""
    return LetterAnswer(url=f"/dead-letters/{letter.id}", name=letter.name, **asdict(letter))


def _read_record(letter: DeadLetter) -> Record | None:
    try:
        return Record.decode(letter.value)
    except BadData:
        return None


def _describe_missing(ids: str) -> str:
    return f"No dead letter {ids}: it was replayed or discarded, or there never was one. GET /dead-letters lists all."
