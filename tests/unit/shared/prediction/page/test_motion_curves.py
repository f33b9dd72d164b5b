"""The curves of the page: where a region moves, how far, on which side, and where nothing is known."""

import base64
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.prediction.page.motion_curves import (
    GAP,
    MAX_BINS,
    TOP_PERCENTILE,
    FaceCurves,
    find_rest,
    measure_departure,
    plot_face_curves,
    split_side,
)
from shared.spotting.face_motion import FaceMotion
from tests.unit.merstream.prediction import drawn_prediction as drawn


def read_row(curves: FaceCurves, name: str, side: str = "left") -> NDArray[np.uint8]:
    row = next(row for row in curves.rows if row.name == name)
    return np.frombuffer(base64.b64decode(getattr(row, side)), np.uint8)


def plot(face: int) -> FaceCurves:
    curves = plot_face_curves(face, drawn.MOTIONS[face], drawn.SECONDS)
    assert curves is not None
    return curves


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        ("left mouth corner", ("mouth corner", "left")),
        ("brow_inner_right", ("brow_inner_right", "")),
        ("inner brow, Right", ("inner brow,", "right")),
        ("upper lip", ("upper lip", "")),
        ("leftover", ("leftover", "")),
    ],
)
def test_a_region_has_a_name_and_a_side(region: str, expected: tuple[str, str]) -> None:
    assert split_side(region) == (expected[0].replace("_", " "), expected[1])


def test_a_bump_is_at_its_time_with_its_height() -> None:
    curves = plot(1)
    left, right = (read_row(curves, "mouth corner", side) for side in ("left", "right"))
    assert curves.bin_seconds == pytest.approx(0.04)
    assert int(left[:60].argmax()) * curves.bin_seconds == pytest.approx(1.0)
    assert left[25] / 254 * curves.scale == pytest.approx(0.05, abs=curves.scale / 254)
    assert right[25] / 254 * curves.scale == pytest.approx(0.02, abs=curves.scale / 254)
    assert left[5] == 0


def test_there_is_a_gap_where_the_face_was_lost() -> None:
    row = read_row(plot(1), "mouth corner")
    assert len(row) == 101
    assert (row[:61] < GAP).all()
    assert (row[61:] == GAP).all()


def test_a_midline_region_has_one_side() -> None:
    curves = plot(2)
    assert read_row(curves, "glabella", "right").size == 0
    assert read_row(curves, "glabella")[:-1].max() < GAP  # the last bin ends with the recording


def test_what_may_be_mistaken_is_there_too() -> None:
    (motion,) = drawn.MOTIONS[2]
    lids, light = motion.lids.copy(), motion.light.copy()
    lids[50, 1], light[70:72] = 0.0, 145.0
    curves = plot_face_curves(2, [replace(motion, lids=lids, light=light)], drawn.SECONDS)
    assert curves is not None
    assert [row.name for row in curves.rows if row.context] == [
        "eye closed",
        "mouth open",
        "head moves",
        "light changes",
    ]
    assert (read_row(curves, "eye closed", "right")[50], read_row(curves, "eye closed")[50]) == (254, 0)
    assert read_row(curves, "light changes")[[69, 70]].tolist() == [0, 254]


def test_a_blink_does_not_make_other_motion_small() -> None:
    (motion,) = drawn.MOTIONS[2]
    moved = motion.displacement.copy()
    moved[50, 0, 1] = 0.5
    regions = ("left lid", *motion.regions[1:])
    curves = plot_face_curves(2, [replace(motion, displacement=moved, regions=regions)], drawn.SECONDS)
    assert curves is not None
    assert curves.scale < 0.05
    assert read_row(curves, "lid").tolist()[50] == 254
    assert read_row(curves, "glabella").tolist()[75] == 254


def test_a_slow_drift_is_rest() -> None:
    times = np.arange(0, 60, 0.04)
    drift = np.stack([0.1 * np.sin(times / 20), np.zeros_like(times)], 1)[:, None]
    assert np.abs(drift - find_rest(times, drift))[100:-100].max() < 0.005
    moved = replace(drawn.MOTIONS[2][0], times=times, displacement=np.repeat(drift, 3, 1))
    assert measure_departure(moved)[100:-100].max() < 0.005


def test_two_hours_stay_small_and_keep_the_peaks() -> None:
    times = np.arange(0, 7200, 1 / 25)
    moved = np.zeros((len(times), 3, 2))
    moved[100_000, 0, 0] = 0.3
    count = len(times)
    motion = replace(
        drawn.MOTIONS[2][0],
        times=times,
        displacement=moved,
        head=np.zeros((count, 5)),
        lids=np.ones((count, 2)),
        mouth=np.zeros(count),
        light=np.zeros(count),
    )
    curves = plot_face_curves(1, [motion], 7200.0)
    assert curves is not None
    row = read_row(curves, "mouth corner")
    assert len(row) <= MAX_BINS + 1
    assert int(row.argmax()) * curves.bin_seconds == pytest.approx(4000, abs=curves.bin_seconds)
    assert row.max() == 254


def test_a_face_without_motion_has_no_curves() -> None:
    assert plot_face_curves(1, [], 4.0) is None


def test_full_height_is_the_percentile_over_all_regions_but_the_lids() -> None:
    rng = np.random.default_rng(0)
    times = np.arange(400) / 25
    shapes = {"head": (400, 5), "lids": (400, 2), "mouth": (400,), "light": (400,), "noise": (4,)}
    given = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    regions = ("left lid", "chin", "left cheek", "right cheek")
    displacement = rng.normal(size=(400, 4, 2)) * np.array([9, 1, 2, 3])[:, None]
    motion = FaceMotion(times=times, regions=regions, displacement=displacement, eye_distance=60.0, **given)
    curves = plot_face_curves(1, [motion], 16.0)
    assert curves is not None
    assert curves.scale == np.percentile(measure_departure(motion)[:, 1:], TOP_PERCENTILE, method="higher")
