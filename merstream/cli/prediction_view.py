"""A prediction in the terminal: its events, and what limits it."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from merstream.cli.console import print_message, stdout_console
from merstream.prediction.model import PredictedEvent, Prediction

LEAST_PROBABILITY = 0.5  # of an action unit that is listed


def print_prediction(prediction: Prediction) -> None:
    """Print the events, then the remarks to stderr."""
    shown = [event for event in prediction.events if not event.flags]
    doubtful = [event for event in prediction.events if event.flags]
    stdout_console.print(f"\n{_summarise(prediction, len(shown), len(doubtful))}", soft_wrap=True, highlight=False)
    if prediction.events:
        stdout_console.print(_tabulate_events(prediction.events))
    for remark in (*prediction.remarks, *_list_warnings(prediction.events)):
        print_message(remark, "mind")
    for face in prediction.faces:
        for remark in face.remarks:
            print_message(remark, f"face {face.id}")


def _list_warnings(events: Sequence[PredictedEvent]) -> list[str]:
    """What limits the recognition, each sentence once."""
    warnings = [warning for event in events if event.recognition for warning in event.recognition.warnings]
    failures = [f"Event {event.id} was not recognised: {event.failure}" for event in events if event.failure]
    return [*dict.fromkeys(warnings), *failures]


def _summarise(prediction: Prediction, sure: int, doubtful: int) -> str:
    video = prediction.video
    faces = "1 face" if len(prediction.faces) == 1 else f"{len(prediction.faces)} faces"
    return escape(
        f"{video.name}: {video.seconds:.1f} s at {video.fps:.4g} frames/s, {faces}, {_count_events(sure)}"
        + (f" and {doubtful} doubtful" if doubtful else "")
    )


def _count_events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def _tabulate_events(events: Sequence[PredictedEvent]) -> Table:
    table = Table("event", "s", "face", "kind", "emotion", "AUs", "doubts")
    for event in events:
        cells = (
            str(event.id),
            f"{event.onset_seconds:.2f}-{event.offset_seconds:.2f}",
            str(event.face),
            event.kind,
            describe_emotion(event),
            list_units(event),
            ", ".join(flag.name for flag in event.flags),
        )
        table.add_row(*map(escape, cells), style="dim" if event.flags else "")
    return table


def describe_emotion(event: PredictedEvent) -> str:
    found = event.recognition
    if found is None:
        return "not recognised" if event.failure else ""
    return f"{found.emotion} {found.emotions.get(found.emotion, 0):.2f}"


def list_units(event: PredictedEvent) -> str:
    units = event.recognition.action_units if event.recognition else {}
    present = sorted((int(unit) for unit, share in units.items() if share >= LEAST_PROBABILITY))
    return "+".join(map(str, present))
