"""A recording that missed frames shows what an even recording of the same face shows, if its true times are known.

The face is drawn, so that the strength of its expression at every instant is known. It is read back from the shown
frames by their dense flow from the first one.
"""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from merstream.synth.true_motion import SourceMapper
from services.interpolator.stage import compute
from services.interpolator.timeline import clip_positions, frame_positions, halved_positions
from services.magnifier.stage import compute as magnify_clip
from shared.errors import BadData
from shared.stage import Arrays
from shared.stage_settings.interpolator import INTERPOLATOR_PROFILES
from shared.stage_settings.magnifier import MAGNIFIER_PROFILES
from tests.unit.ingest.drawn_people import drawn_frames, drawn_motion

FPS, LENGTH, APEX, PEAK = 200.0, 39, 18, 2.5
COURSE = PEAK * np.sin(np.pi * np.arange(LENGTH) / (LENGTH - 1)) ** 2
# Of the rise every second frame was not recorded, and three later ones were not.
KEPT = [number for number in range(LENGTH) if not (number % 2 and number < APEX) and number not in (29, 30, 31)]


def strength_at(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.interp(seconds * FPS, np.arange(LENGTH), COURSE)


@pytest.fixture(scope="module")
def recorded() -> NDArray[np.uint8]:
    return drawn_frames(1, COURSE, noise=0.5)


def ingested(frames: NDArray[np.uint8], numbers: list[int], timed: bool) -> Arrays:
    clip = {
        "frames": frames[numbers],
        "onset": np.array(0),
        "apex": np.array(numbers.index(APEX)),
        "offset": np.array(len(numbers) - 1),
        "fps": np.array(FPS),
    }
    return clip | {"times": np.array(numbers) / FPS} if timed else clip


@pytest.fixture(scope="module")
def shown(recorded: NDArray[np.uint8]) -> dict[str, Arrays]:
    clips = {
        "even": ingested(recorded, [*range(LENGTH)], timed=False),
        "timed": ingested(recorded, KEPT, timed=True),
        "untimed": ingested(recorded, KEPT, timed=False),
    }
    return {name: compute({"ingest": clip}, INTERPOLATOR_PROFILES["corrected"]) for name, clip in clips.items()}


def read_strengths(first: NDArray[np.uint8], frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The strength [T], px, of the drawn expression in frames [T,H,W,3]: their flow along the true field."""
    motion = drawn_motion(1, [0.0, 1.0])
    field = SourceMapper(motion).flow_between(0, 1)
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    still = cv2.cvtColor(first, cv2.COLOR_RGB2GRAY)
    flows = [search.calc(still, cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), None) for frame in frames]  # type: ignore[call-overload]
    return np.array([(flow * field.transpose(1, 2, 0)).sum() / (field**2).sum() for flow in flows])


def test_the_frames_of_an_uneven_clip_show_the_instants_of_an_even_one(shown: dict[str, Arrays]) -> None:
    even, timed = shown["even"], shown["timed"]
    seconds = even["positions"] / FPS
    np.testing.assert_allclose(timed["times"], seconds, atol=1e-12)
    np.testing.assert_allclose(np.interp(timed["positions"], np.arange(len(KEPT)), KEPT), even["positions"], atol=1e-9)
    assert timed["fps"].item() == pytest.approx(even["fps"].item(), rel=1e-12)
    assert (timed["apex"].item(), timed["apex_time"].item()) == (KEPT.index(APEX), APEX / FPS)
    assert "times" not in even


@pytest.mark.parametrize("frames", ["frames", "au_frames"])
def test_the_drawn_strength_is_that_of_the_instant(shown: dict[str, Arrays], frames: str) -> None:
    """The flow reads 0.63 to 0.75 of the drawn strength; without the times it reads that of other instants."""
    rest = shown["even"]["frames"][0]
    read = {name: read_strengths(rest, arrays[frames]) for name, arrays in shown.items()}
    true = strength_at(np.array(halved_positions(0, APEX, LENGTH - 1, len(read["even"]))) / FPS)
    np.testing.assert_allclose(read["even"], 0.7 * true, atol=0.15)
    np.testing.assert_allclose(read["timed"], 0.7 * true, atol=0.15)
    np.testing.assert_allclose(read["timed"], read["even"], atol=0.06)
    assert np.abs(read["untimed"] - read["even"]).max() > 0.35


def test_the_magnified_motion_is_that_of_the_even_clip(shown: dict[str, Arrays]) -> None:
    settings = MAGNIFIER_PROFILES["corrected"].model_copy(update={"factors": (2.0,)})
    rest = shown["even"]["frames"][0]
    read = {
        name: read_strengths(rest, magnify_clip({"interpolator": arrays}, settings)["frames"][0])
        for name, arrays in shown.items()
    }
    peak = read["even"].max()
    assert peak > 1.5 * read_strengths(rest, shown["even"]["frames"]).max()
    assert read["timed"].max() == pytest.approx(peak, rel=0.03)
    np.testing.assert_allclose(read["timed"], read["even"], atol=0.05 * peak)
    assert np.abs(read["untimed"] - read["even"]).max() > 0.15 * peak


@given(st.data(), st.sampled_from(["apex-halves", "uniform", "apex"]), st.integers(2, 20))
def test_the_rule_holds_in_seconds_for_any_times(data: st.DataObject, rule: str, count: int) -> None:
    gaps = data.draw(st.lists(st.floats(0.001, 0.5), min_size=1, max_size=60))
    times = np.concatenate([[0.0], np.cumsum(gaps)])
    apex = data.draw(st.integers(0, len(gaps)))
    at = clip_positions(rule, 0, apex, len(gaps), count, times)
    expected = frame_positions(rule, 0.0, times[apex], times[-1], count)
    np.testing.assert_allclose(np.interp(at, np.arange(len(times)), times), expected, atol=1e-9)
    assert at == sorted(at)
    assert (at[0], at[-1]) == pytest.approx((0, len(gaps)), abs=1e-9)
    if rule == "apex-halves" and 0 < apex < len(gaps) and count > 2:
        assert apex in at  # exactly, so that its frame is the recorded one


@given(
    st.integers(1, 300),
    st.data(),
    st.sampled_from(["apex-halves", "uniform", "apex"]),
    st.sampled_from([25.0, 30.0, 200.0]),
)
def test_even_times_change_nothing(offset: int, data: st.DataObject, rule: str, fps: float) -> None:
    apex = data.draw(st.integers(0, offset))
    times = np.arange(offset + 1) / fps
    np.testing.assert_allclose(
        clip_positions(rule, 0, apex, offset, 11, times), frame_positions(rule, 0, apex, offset, 11), atol=1e-9
    )


@pytest.mark.parametrize("times", [[0.0, 0.1], [0.0, 0.2, 0.1], [0.0, 0.1, np.nan], [0.0, 0.1, 0.1]])
def test_times_that_are_none(recorded: NDArray[np.uint8], times: list[float]) -> None:
    clip = ingested(recorded, [0, APEX, 38], timed=True) | {"times": np.array(times)}
    with pytest.raises(BadData, match="expected 3 that increase: ingest this clip again"):
        compute({"ingest": clip}, INTERPOLATOR_PROFILES["corrected"])
