"""The plan of a long video: how often, how long, what beside what; the same for the same arguments."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from merstream.synth.difficulty import DIFFICULTIES
from merstream.synth.long_events import LongVideoSettings, VideoEvent
from merstream.synth.long_plan import REST_SECONDS, plan_events

MINUTES = 40
SETTINGS = LongVideoSettings()


@pytest.fixture(scope="module")
def planned() -> list[VideoEvent]:
    """The events of six long videos of different persons."""
    return [event for subject in range(1, 7) for event in plan_events(1, subject, 60 * MINUTES)]


def of_kind(events: list[VideoEvent], *kinds: str) -> list[VideoEvent]:
    return [event for event in events if event.kind in kinds]


def share_time(first: VideoEvent, second: VideoEvent) -> bool:
    return first.onset < second.offset and second.onset < first.offset


def test_equal_arguments_plan_equal_events_and_others_do_not() -> None:
    plan = plan_events(1, 2, 60)
    assert plan == plan_events(1, 2, 60)
    assert plan == sorted(plan, key=lambda event: event.onset)
    onsets = {event.onset for event in plan}
    for other in (plan_events(2, 2, 60), plan_events(1, 3, 60), plan_events(1, 2, 60, number=2)):
        assert not onsets & {event.onset for event in other}


def test_every_kind_happens_as_often_as_asked(planned: list[VideoEvent]) -> None:
    found = Counter(event.kind for event in planned)
    for kind in ("macro", "speech", "posture", "light"):
        assert found[kind] == pytest.approx(6 * MINUTES * getattr(SETTINGS, kind), rel=0.08)
    assert found["micro"] == pytest.approx(6 * MINUTES * SETTINGS.micro, rel=0.08)
    accompanying = SETTINGS.with_blink * (found["micro"] + found["macro"])
    assert found["blink"] == pytest.approx(6 * MINUTES * SETTINGS.blink + accompanying, rel=0.08)


@pytest.mark.parametrize(("kind", "shortest", "longest"), [("micro", 0.1, 0.5), ("macro", 0.7, 4.0)])
def test_durations_tell_micro_from_macro(planned: list[VideoEvent], kind: str, shortest: float, longest: float) -> None:
    lengths = [event.offset - event.onset for event in of_kind(planned, kind)]
    assert min(lengths) == pytest.approx(shortest, rel=0.1)
    assert max(lengths) == pytest.approx(longest, rel=0.1)
    assert min(lengths) > shortest - 1e-9
    assert max(lengths) < longest + 1e-9


def test_an_event_rests_at_its_ends_and_is_strongest_at_its_apex(planned: list[VideoEvent]) -> None:
    for event in of_kind(planned, "micro", "macro", "speech", "blink")[:400]:
        assert event.onset < event.apex < event.offset
        times = np.linspace(event.onset, event.offset, 200)
        levels = [event.level_at(second) for second in times]
        assert (levels[0], levels[-1], event.level_at(event.apex)) == pytest.approx((0, 0, 1))
        assert max(levels) <= 1
        assert (event.level_at(event.onset - 9), event.level_at(event.offset + 9)) == (0, 0)
        if event.kind in ("micro", "macro"):
            assert np.diff(times[np.array(levels) > 0.999]).sum() < 0.2 * (event.offset - event.onset)
            assert abs(times[int(np.argmax(levels))] - event.apex) <= times[1] - times[0]


def test_expressions_leave_room_but_for_micro_expressions_inside_longer_ones(planned: list[VideoEvent]) -> None:
    for subject in range(1, 7):
        events = of_kind(plan_events(1, subject, 60 * MINUTES), "micro", "macro")
        inner = []
        for first, second in pairwise(events):
            if share_time(first, second):
                assert (first.kind, second.kind) == ("macro", "micro")
                assert first.times[1] <= second.onset < second.offset <= first.times[3]
                numbers = [{unit.rstrip("LR") for unit, _ in event.units} for event in (first, second)]
                assert not numbers[0] & numbers[1]
                inner.append(second)
            elif not inner or inner[-1] is not first:
                assert second.onset - first.offset >= REST_SECONDS - 1e-9
        assert len(inner) / len(of_kind(events, "micro")) == pytest.approx(SETTINGS.in_macro, abs=0.06)


def test_a_stated_share_lies_in_speech_beside_blinks_and_on_one_side() -> None:
    in_speech, in_blinks, in_shifts, one_sided, expressions = 0, 0, 0, 0, 0
    for subject in range(1, 5):
        plan = plan_events(1, subject, 60 * 20)
        for event in of_kind(plan, "micro", "macro"):
            others = {other.kind for other in plan if other is not event and share_time(event, other)}
            expressions += 1
            in_speech += "speech" in others
            in_shifts += "posture" in others
            in_blinks += event.kind == "micro" and "blink" in others
            one_sided += event.side != "both"
            if "speech" in others:
                assert not {"24", "25"} & {unit for unit, _ in event.units}
            if event.side != "both":
                assert {unit[-1] for unit, _ in event.units} == {event.side[0].upper()}
    micros = expressions * SETTINGS.micro / (SETTINGS.micro + SETTINGS.macro)
    assert in_speech / expressions == pytest.approx(SETTINGS.in_speech, abs=0.05)
    assert in_shifts / expressions == pytest.approx(SETTINGS.in_posture, abs=0.05)
    assert in_blinks / micros == pytest.approx(SETTINGS.with_blink, abs=0.06)
    assert 0.8 * SETTINGS.one_sided < one_sided / expressions < 0.4  # an emotion may be one-sided by itself


def test_blinks_change_nothing_of_the_expressions() -> None:
    without = plan_events(1, 1, 300, settings=LongVideoSettings(blink=0, with_blink=0))
    assert not of_kind(without, "blink")
    assert without == [event for event in plan_events(1, 1, 300) if event.kind != "blink"]


def test_syllables_come_at_the_rate_of_speech(planned: list[VideoEvent]) -> None:
    for phrase in of_kind(planned, "speech"):
        peaks = np.array(phrase.times[1:-1:2])
        assert 2.3 < len(peaks) / (phrase.offset - phrase.onset) < 4.8
        assert (np.diff(phrase.times) > 0).all()
        assert phrase.levels[1:-1:2] > phrase.levels[:-2:2]
    assert not any(share_time(*pair) for pair in pairwise(of_kind(plan_events(1, 1, 60 * MINUTES), "speech")))


def test_a_head_that_shifts_comes_back_and_never_drifts_away(planned: list[VideoEvent]) -> None:
    shifts = of_kind(planned, "posture")
    places = np.array([event.after for event in shifts])
    assert np.abs(places[:, 0]).max() == pytest.approx(8, rel=0.05)
    assert np.rad2deg(np.abs(places[:, 2:]).max(0)) == pytest.approx([2, 4, 2], rel=0.05)
    ways = np.abs(places - np.array([event.before for event in shifts]))[:, 0]
    assert ways.min() >= 0.7 * 8 - 1e-9
    assert ways.max() <= 8
    assert all(0.8 <= event.offset - event.onset <= 1.3 for event in shifts)


def test_macro_expressions_are_larger_and_none_moves_further_than_skin_can() -> None:
    plan = plan_events(3, 1, 60 * MINUTES, difficulty=DIFFICULTIES["hardest"])
    strongest = {
        kind: [max(peak for _, peak in event.units) for event in of_kind(plan, kind)] for kind in ("micro", "macro")
    }
    assert max(strongest["micro"]) <= 2.5
    assert min(strongest["macro"]) >= 1.9  # an expression of lids alone
    assert np.median(strongest["macro"]) > 3 * np.median(strongest["micro"])
    assert max(strongest["macro"]) <= 9
    assert max(peak for event in plan for unit, peak in event.units if unit in ("24", "25")) <= 2


def test_a_video_without_room_has_fewer_events() -> None:
    crowded = plan_events(1, 1, 5, settings=LongVideoSettings(macro=600))
    assert 1 <= len(of_kind(crowded, "macro")) <= 5
    assert not of_kind(plan_events(1, 1, 0.5), "micro", "macro")


def test_the_level_is_a_raised_cosine_between_its_knots(planned: list[VideoEvent]) -> None:
    event = replace(planned[0], times=(1.0, 2.0, 4.0), levels=(0.0, 1.0, 0.5))
    assert [event.level_at(second) for second in (0, 1.25, 1.5, 2, 3, 4, 5)] == pytest.approx(
        [0, 0.5 - 0.5 * np.cos(np.pi / 4), 0.5, 1, 0.75, 0.5, 0.5]
    )
