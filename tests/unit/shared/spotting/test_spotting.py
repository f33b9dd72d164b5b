"""Events in the motion of a face whose truth is made by hand."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from shared.spotting.disturbances import find_speech
from shared.spotting.events import SpottedEvent
from shared.spotting.face_motion import FaceMotion
from shared.spotting.leaks import remove_leaks
from shared.spotting.noise import measure_noise
from shared.spotting.regions import REGION_INDEX, REGION_NAMES
from shared.spotting.resampling import bend_course
from shared.spotting.spotting import spot_events
from shared.spotting.spotting_settings import DEFAULT_SPOTTING

RATE, SECONDS, NOISE = 30.0, 30.0, 0.0002
BROWS_UP = {f"{side} {part} brow": (0.0, -0.01) for side in ("left", "right") for part in ("inner", "middle")}
SMILE = {"left mouth corner": (0.01, -0.01), "right mouth corner": (-0.01, -0.01), "left cheek": (0.002, -0.006)}
SYLLABLE = {"lower lip": (0.0, 0.03), "chin": (0.0, 0.03)}


def bump(times: np.ndarray, onset: float, offset: float, hold: float = 0.0) -> np.ndarray:
    """A raised cosine up and down, held for a share of its length at the top."""
    share = np.clip(np.minimum(times - onset, offset - times) / ((offset - onset) * (1 - hold) / 2), 0, 1)
    return (1 - np.cos(np.pi * share)) / 2


def rest(times: np.ndarray | None = None, seed: int = 0) -> FaceMotion:
    """A face that rests, with the noise of the measurement."""
    at = np.arange(0, SECONDS, 1 / RATE) if times is None else times
    rng = np.random.default_rng(seed)
    count, regions = len(at), len(REGION_NAMES)
    return FaceMotion(
        at,
        REGION_NAMES,
        rng.normal(0, NOISE, (count, regions, 2)),
        np.full(regions, NOISE),
        rng.normal(0, 1e-3, (count, 5)),
        0.16 + rng.normal(0, 1e-3, (count, 2)),
        np.zeros(count),
        np.full(count, 128.0),
        110.0,
    )


def move(
    motion: FaceMotion, regions: Mapping[str, tuple[float, float]], onset: float, offset: float, hold: float = 0.0
) -> FaceMotion:
    displacement = motion.displacement.copy()
    for name, way in regions.items():
        displacement[:, REGION_INDEX[name]] += bump(motion.times, onset, offset, hold)[:, None] * way
    return replace(motion, displacement=displacement)


def blink(motion: FaceMotion, start: float, leak: float = 0.0) -> FaceMotion:
    """The lids close for 0.3 s, and drag the cheeks along by `leak`."""
    shut = bump(motion.times, start, start + 0.3)[:, None]
    dragged = move(motion, {"left cheek": (0, leak), "right cheek": (0, leak)}, start, start + 0.3)
    return replace(dragged, lids=motion.lids * (1 - 0.9 * shut))


def speak(motion: FaceMotion, start: float, count: int = 8) -> FaceMotion:
    strengths = np.random.default_rng(1).uniform(0.4, 1.0, count)
    for number, strength in enumerate(strengths):
        at = start + 0.28 * number
        motion = move(motion, {name: (0.0, strength * y) for name, (_, y) in SYLLABLE.items()}, at, at + 0.3)
    return motion


def flag_names(event: SpottedEvent) -> list[str]:
    return [flag.name for flag in event.flags]


@pytest.mark.parametrize("seed", range(3))
def test_a_face_at_rest_has_no_events(seed: int) -> None:
    assert spot_events(rest(seed=seed)) == []


def test_a_short_and_a_long_motion_are_micro_and_macro() -> None:
    micro, macro = spot_events(move(move(rest(), BROWS_UP, 5.02, 5.33), SMILE, 12.0, 14.0, hold=0.4))
    assert (micro.onset, micro.apex, micro.offset) == pytest.approx((5.02, 5.175, 5.33), abs=0.03)
    assert (macro.onset, macro.offset) == pytest.approx((12.0, 14.0), abs=0.1)
    assert (micro.kind, macro.kind) == ("micro", "macro")
    assert set(micro.regions) == set(BROWS_UP)
    assert set(macro.regions[:2]) == {"left mouth corner", "right mouth corner"}
    assert micro.size == pytest.approx(0.01, rel=0.1)
    assert micro.strength == pytest.approx(0.01 / 0.0013, rel=0.25)
    assert (micro.side, macro.side) == ("both", "both")
    assert not micro.flags
    assert not macro.flags


def test_a_motion_of_one_side_is_one_sided() -> None:
    found = spot_events(move(rest(), {"left mouth corner": (0.01, 0.0), "left cheek": (0.004, 0.0)}, 8.0, 8.4))
    assert [event.side for event in found] == ["left"]


def test_motions_at_one_time_are_one_event_and_others_are_not() -> None:
    together = move(move(rest(), BROWS_UP, 5.0, 5.4), SMILE, 5.02, 5.42)
    apart = move(move(rest(), BROWS_UP, 5.0, 5.4), SMILE, 5.5, 5.9)
    assert [len(spot_events(motion)) for motion in (together, apart)] == [1, 2]


def test_times_may_be_uneven() -> None:
    rng = np.random.default_rng(3)
    times = np.arange(0, SECONDS, 1 / RATE) + rng.uniform(-0.01, 0.01, round(SECONDS * RATE))
    (found,) = spot_events(move(rest(times), BROWS_UP, 20.0, 20.4))
    assert (found.onset, found.offset) == pytest.approx((20.0, 20.4), abs=0.04)


def test_a_strong_leak_of_the_lids_is_taken_out() -> None:
    motion = rest()
    for start in np.arange(2, 28, 4.0):
        motion = blink(motion, start, leak=0.006)
    assert [event for event in spot_events(motion) if not event.flags] == []
    (found,) = (event for event in spot_events(move(motion, SMILE, 16.0, 16.4)) if not event.flags)
    assert found.apex == pytest.approx(16.2, abs=0.03)


def test_a_motion_in_a_blink_that_is_like_those_in_the_others_is_flagged() -> None:
    motion = rest()
    rng = np.random.default_rng(5)
    for start in np.arange(2, 28, 2.5):  # not the same each time, so that no factor takes them out
        motion = blink(motion, start, leak=0.0)
        motion = move(motion, {"left cheek": tuple(rng.choice([-1, 1], 2) * 0.002)}, start, start + 0.3)
    found = spot_events(motion)
    assert found
    assert {name for event in found for name in flag_names(event)} == {"blink"}


def test_speech_is_flagged_and_a_brow_meanwhile_is_not() -> None:
    found = spot_events(move(speak(rest(), 10.0), BROWS_UP, 11.0, 11.4))
    assert [event.regions[0].split()[-1] for event in found if not event.flags] == ["brow"]
    spoken = [event for event in found if event.flags]
    assert len(spoken) >= 5
    assert all(flag_names(event) == ["speech"] for event in spoken)


def test_one_motion_of_the_lips_is_no_speech() -> None:
    motion = move(rest(), SYLLABLE, 10.0, 10.4)
    assert find_speech(remove_leaks(motion, RATE), RATE, DEFAULT_SPOTTING) == []
    (found,) = spot_events(motion)
    assert not found.flags


def test_a_wobble_inside_a_larger_motion_is_flagged() -> None:
    large = dict.fromkeys(BROWS_UP, (0.0, -0.05))
    small = dict.fromkeys(BROWS_UP, (0.0, -0.005))
    found = spot_events(move(move(rest(), large, 10.0, 13.0, hold=0.6), small, 11.3, 11.7))
    assert [flag_names(event) for event in found] == [[], ["inside-larger"]]


def test_another_part_of_the_face_inside_a_larger_motion_is_an_event() -> None:
    large = dict.fromkeys(BROWS_UP, (0.0, -0.05))
    found = spot_events(move(move(rest(), large, 10.0, 13.0, hold=0.6), SMILE, 11.3, 11.7))
    assert [(event.kind, event.flags) for event in found] == [("macro", ()), ("micro", ())]


def test_what_a_larger_motion_drags_along_is_not_an_event() -> None:
    large = dict.fromkeys(BROWS_UP, (0.0, -0.05))
    dragged = {"left nose wing": (0.0, -0.004)}
    (found,) = spot_events(move(move(rest(), large, 10.0, 10.4), dragged, 10.15, 10.4))
    assert found.regions[0].endswith("brow")


def test_a_quick_head_is_flagged() -> None:
    weak, strong = ({name: (0.0, y * size) for name, (_, y) in BROWS_UP.items()} for size in (0.3, 1.0))
    flags = []
    for brows, way in ((weak, 0.1), (strong, 0.1), (weak, 0.04), (strong, 0.5)):
        motion = move(rest(), brows, 5.0, 5.4)
        head = motion.head.copy()
        head[:, 0] += way * bump(motion.times, 4.9, 5.1) - way * bump(motion.times, 5.15, 5.45)
        (found,) = (event for event in spot_events(replace(motion, head=head)) if 4.9 < event.apex < 5.6)
        flags.append([flag.reason.split()[1] for flag in found.flags])
    assert flags == [["head"], [], [], ["head"]]


def test_a_weak_motion_while_the_light_changes_is_flagged() -> None:
    motion = move(rest(), dict.fromkeys(BROWS_UP, (0.0, -0.002)), 5.0, 5.4)
    dark = replace(motion, light=np.where(motion.times < 5.2, 128.0, 112.0))
    assert [[flag_names(event) for event in spot_events(each)] for each in (motion, dark)] == [[[]], [["light"]]]


def test_few_frames_a_second_and_the_border_are_said() -> None:
    slow = move(rest(np.arange(0, SECONDS, 1 / 15)), SMILE, 8.0, 9.0)
    assert [flag_names(event) for event in spot_events(slow)] == [["low-rate"]]
    early = move(rest(), SMILE, 0.02, 0.6)
    assert [flag_names(event) for event in spot_events(early)] == [["border"]]


def test_a_segment_of_few_frames_has_no_events() -> None:
    motion = move(rest(np.arange(7) / RATE), SMILE, 0.05, 0.2)
    assert spot_events(motion) == []


def open_mouth(motion: FaceMotion, start: float, end: float) -> FaceMotion:
    """A broad smile from `start` to `end`, in which the flow at the lips jumps to and fro."""
    wide = bump(motion.times, start, end, hold=0.8)
    jumps = np.random.default_rng(2).choice([0.0, 0.05], len(wide), p=[0.98, 0.02]) * (wide > 0.99)
    large = move(motion, {"chin": (0.0, 0.15), "left mouth corner": (0.09, -0.03)}, start, end, hold=0.8)
    displacement = large.displacement.copy()
    displacement[:, REGION_INDEX["upper lip"], 0] += jumps
    return replace(large, displacement=displacement, mouth=0.2 * wide)


def test_between_open_lips_only_large_motions_count() -> None:
    found = spot_events(open_mouth(rest(), 10.0, 14.0))
    (smile,) = (event for event in found if not event.flags)
    assert smile.kind == "macro"
    assert (smile.onset, smile.offset) == pytest.approx((10.0, 14.0), abs=0.15)
    jumps = [event for event in found if event.flags]
    assert jumps
    assert {name for event in jumps for name in flag_names(event)} <= {"inside-larger", "speech"}


def test_an_event_ends_where_the_segment_ends() -> None:
    motion = rest()
    motion = move(motion, SMILE, SECONDS - 1.0, SECONDS + 0.1)
    (found,) = spot_events(motion)
    assert found.offset == motion.times[-1]
    assert flag_names(found) == ["border"]


def test_slow_drift_around_a_short_motion_does_not_make_it_long() -> None:
    drift = dict.fromkeys(BROWS_UP, (0.0, -0.0015))
    found = spot_events(move(move(rest(), drift, 9.0, 11.5), BROWS_UP, 10.0, 10.35))
    assert [event.kind for event in found] == ["micro"]


def test_a_jolt_while_a_larger_motion_of_the_part_starts_is_flagged() -> None:
    large = move(rest(), {"chin": (0.0, 0.1), "lower lip": (0.0, 0.1)}, 10.0, 13.0, hold=0.6)
    found = spot_events(move(large, {"left mouth corner": (0.03, 0.0)}, 10.2, 10.4))
    assert [(event.kind, flag_names(event)) for event in found] == [("macro", []), ("micro", ["inside-larger"])]


def test_a_long_segment_is_searched_in_blocks_with_the_same_events() -> None:
    motion = rest()
    for onset in (4.0, 9.8, 10.1, 14.85, 19.9, 25.0):  # blocks meet at 9.99 and 19.98 s
        motion = move(motion, SMILE if onset == 10.1 else BROWS_UP, onset, onset + 0.3)
    whole, blocks = (spot_events(motion, replace(DEFAULT_SPOTTING, block=block)) for block in (300.0, 10.0))
    assert len(whole) == 6
    assert [event.apex for event in blocks] == pytest.approx([event.apex for event in whole], abs=0.02)


def test_rest_between_two_long_motions_is_no_motion() -> None:
    spans, sizes = ((43.5, 47.4), (49.0, 52.5)), (0.03, 0.04)
    motion = rest(np.arange(0, 60, 1 / RATE))
    motion = move(motion, dict.fromkeys(BROWS_UP, (0.0, 0.006)), 30.0, 47.4, hold=0.6)  # the first one falls deeper
    for (onset, offset), size in zip(spans, sizes, strict=True):
        motion = move(motion, dict.fromkeys(BROWS_UP, (0.0, size)), onset, offset, hold=0.45)
    found = spot_events(motion)
    assert [(event.kind, event.flags) for event in found] == [("macro", ())] * 2
    for event, span in zip(found, spans, strict=True):
        assert (event.onset, event.offset) == pytest.approx(span, abs=0.2)


def test_speech_before_a_long_motion_the_other_way_does_not_hide_it() -> None:
    chin_up = {"chin": (0.0, -0.02), "lower lip": (0.0, -0.01)}
    found = spot_events(move(speak(rest(), 8.0), chin_up, 11.0, 14.5, hold=0.4))
    (chin,) = (event for event in found if not event.flags)
    assert chin.kind == "macro"
    assert (chin.onset, chin.offset) == pytest.approx((11.0, 14.5), abs=0.2)


def test_a_person_who_talks_most_of_the_time_is_not_noisy() -> None:
    motion = rest()
    for start in np.arange(0.5, 18, 2.3):
        motion = speak(motion, start)
    bends = bend_course(motion.displacement, 4)
    talking, quiet = measure_noise(bends, 4, RATE), measure_noise(bend_course(rest().displacement, 4), 4, RATE)
    assert talking == pytest.approx(quiet, rel=0.25)
    spoken = find_speech(remove_leaks(motion, RATE), RATE, DEFAULT_SPOTTING)
    assert sum(last - first for first, last in spoken) / RATE > 15


def test_noise_is_the_standard_deviation_of_second_differences() -> None:
    values = np.random.default_rng(4).normal(0, 0.001, (3000, 5, 2))
    for lag in (3, 30):
        bends = bend_course(values, lag)
        assert measure_noise(bends, lag, RATE) == pytest.approx(np.full(5, 0.001 * np.sqrt(1.5)), rel=0.1)


def test_a_motion_that_starts_and_ends_with_a_blink_is_flagged() -> None:
    motion = rest()
    for start in np.arange(2, 28, 4.0):
        motion = blink(motion, start)
    inside, later = (move(motion, BROWS_UP, 10.0 + after, 10.3 + after) for after in (0.0, 0.2))
    assert [flag_names(event) for event in spot_events(inside)] == [["blink"]]
    assert [flag_names(event) for event in spot_events(later)] == [[]]


@pytest.mark.parametrize(("seconds", "kind"), [(0.5, "micro"), (0.7, "macro")])
def test_a_motion_of_half_a_second_is_a_micro_expression_beside_drift(seconds: float, kind: str) -> None:
    for seed in range(4):
        motion = move(rest(seed=seed), dict.fromkeys(BROWS_UP, (0.0, -0.0012)), 8.6, 12.2)
        (found,) = spot_events(move(motion, dict.fromkeys(BROWS_UP, (0.0, -0.004)), 10.0, 10.0 + seconds))
        assert found.kind == kind
        assert found.onset < found.apex < found.offset
