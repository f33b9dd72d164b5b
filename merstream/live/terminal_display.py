"""A live session in the terminal: how the face moves, the events as they come, what was recognised last."""

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from merstream.cli.prediction_view import describe_emotion, list_units
from merstream.live.live_view import LiveView, MotionView
from shared.prediction.model import PredictedEvent

LEVELS = " ▁▂▃▄▅▆▇█"
COLUMNS = 50  # of a curve
EVENT_ROWS = 6
BAR_WIDTH = 20
KIND_COLOURS = {"micro": "dark_orange", "macro": "dark_cyan"}


class TerminalDisplay:
    """Draws a session anew in place. Without a terminal it prints a line for each event. Use it in a `with` block."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._told: set[int] = set()

    def __enter__(self) -> "TerminalDisplay":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live:
            self._live.stop()

    def show_view(self, view: LiveView) -> None:
        if self._live:
            self._live.update(draw_view(view), refresh=True)
            return
        for event in view.events:
            if event.id not in self._told and event.id not in view.waiting:
                self._told.add(event.id)
                self.console.print(escape(describe_event_line(event)), soft_wrap=True, highlight=False)


def draw_view(view: LiveView) -> RenderableType:
    """The whole view as something that rich can print."""
    parts: list[RenderableType] = [_draw_header(view)]
    parts += [Text(f"! {remark}", style="yellow") for remark in view.remarks]
    if view.motion:
        parts.append(_draw_curves(view.motion))
    if view.events:
        parts.append(_draw_events(view))
    recognised = [event for event in view.events if event.recognition]
    if recognised:
        parts.append(_draw_bars(recognised[-1]))
    parts.append(Text("Ctrl-C ends the session.", style="dim"))
    return Group(*parts)


def _draw_header(view: LiveView) -> Text:
    counts = view.counts
    return Text.assemble(
        (view.name, "bold"),
        f"  {view.seconds:.1f} s  {view.rate:.0f} frames/s  {view.behind:.2f} s behind  ",
        (f"{counts.get('micro', 0)} micro", KIND_COLOURS["micro"]),
        "  ",
        (f"{counts.get('macro', 0)} macro", KIND_COLOURS["macro"]),
        f"  {counts.get('flagged', 0)} flagged" + (f"  {view.dropped} frames dropped" if view.dropped else ""),
    )


def _draw_curves(motion: MotionView) -> Table:
    table = Table(box=None, padding=(0, 1), show_header=False)
    for row in motion.rows:
        sides = [max(pair) for pair in zip(row.left, row.right or row.left, strict=True)]
        table.add_row(Text(row.name, style="dim"), Text(draw_sparkline(sides)))
    return table


def draw_sparkline(shares: list[float]) -> str:
    """One character per bin of time, blank where the face was not followed."""
    size = -(-len(shares) // COLUMNS)
    bins = [max(shares[at : at + size]) for at in range(0, len(shares), size)]
    return "".join(LEVELS[0] if share < 0 else LEVELS[1 + min(7, int(share * 8))] for share in bins)


def _draw_events(view: LiveView) -> Table:
    table = Table("event", "s", "kind", "emotion", "AUs", "moves", "doubts", box=None, padding=(0, 2, 0, 0))
    for event in reversed(view.events[-EVENT_ROWS:]):
        cells = (
            str(event.id),
            f"{event.onset_seconds:.2f}-{event.offset_seconds:.2f}",
            event.kind,
            _describe_state(event, view),
            list_units(event),
            event.regions[0] if event.regions else "",
            ", ".join(flag.name for flag in event.flags),
        )
        table.add_row(*map(escape, cells), style="dim" if event.flags else KIND_COLOURS[event.kind])
    return table


def _describe_state(event: PredictedEvent, view: LiveView) -> str:
    return "..." if event.id in view.waiting else describe_emotion(event)


def _draw_bars(event: PredictedEvent) -> Table:
    found = event.recognition
    assert found
    table = Table(box=None, padding=(0, 1), show_header=False, title=f"event {event.id}", title_justify="left")
    units = sorted(found.action_units.items(), key=lambda unit: -unit[1])[: len(found.emotions)]
    emotions = sorted(found.emotions.items(), key=lambda emotion: -emotion[1])
    for row in range(max(len(emotions), len(units))):
        name, share = emotions[row] if row < len(emotions) else ("", 0.0)
        number, chance = units[row] if row < len(units) else ("", 0.0)
        unit = f"AU {number}" if number else ""
        table.add_row(name, _draw_bar(share), f"{share:.2f}", unit, _draw_bar(chance), f"{chance:.2f}")
    return table


def _draw_bar(share: float) -> Text:
    full = round(BAR_WIDTH * share)
    return Text.assemble(("█" * full, "blue"), ("░" * (BAR_WIDTH - full), "dim"))


def describe_event_line(event: PredictedEvent) -> str:
    """An event in one line."""
    flags = f" ({', '.join(flag.name for flag in event.flags)})" if event.flags else ""
    found = f": {describe_emotion(event)}" if event.recognition else ""
    units = f" AU {list_units(event)}" if list_units(event) else ""
    return f"{event.onset_seconds:.2f}-{event.offset_seconds:.2f} s face {event.face} {event.kind}{flags}{found}{units}"
