"""Pictures of what each stage made of a clip: sizes, captions, and the motion that they show."""

import cv2
import numpy as np
import pytest

from shared.images import clip_pictures as pictures
from shared.images.clip_pictures import CAPTION_HEIGHT

RNG = np.random.default_rng(0)
ONSET = RNG.integers(0, 256, (40, 30, 3), dtype=np.uint8)


def test_a_title_is_written_above_the_picture() -> None:
    titled = pictures.add_title(ONSET, "apex 7")
    assert titled.shape == (40 + CAPTION_HEIGHT, 34, 3)
    np.testing.assert_array_equal(titled[CAPTION_HEIGHT:, :30], ONSET)
    assert (titled[:CAPTION_HEIGHT] < 255).any()
    assert (titled[:, 30:][CAPTION_HEIGHT:] == 255).all()


def test_a_grid_is_filled_up_with_white() -> None:
    grid = pictures.join_grid([ONSET] * 5, columns=3)
    assert grid.shape == (80, 90, 3)
    np.testing.assert_array_equal(grid[40:, 30:60], ONSET)
    assert (grid[40:, 60:] == 255).all()


def test_three_marked_frames_are_in_a_row() -> None:
    frames = RNG.integers(0, 256, (6, 40, 30, 3), dtype=np.uint8)
    row = pictures.draw_marked_frames({"frames": frames, "onset": np.int64(0), "apex": np.int64(3), "offset": 5})
    for position, index in enumerate((0, 3, 5)):
        np.testing.assert_array_equal(row[CAPTION_HEIGHT:, 34 * position :][:, :30], frames[index])


@pytest.mark.parametrize("factors", [1, 2, 3])
def test_flows_have_a_row_per_outer_factor_and_a_colour_key(factors: int) -> None:
    flow = {
        "flows": RNG.normal(size=(factors, 3, 2, 40, 30)).astype(np.float16),
        "factors": np.arange(1.0, factors + 1),
    }
    drawn = pictures.draw_flow_pairs(flow)
    rows = min(factors, 2) * (40 + CAPTION_HEIGHT)
    assert drawn.shape[0] > rows
    assert drawn.shape[1] == 3 * 34
    assert (drawn[rows:] < 255).any()


def draw_arrows(first_pairs: float, later_pairs: float) -> np.ndarray:
    """Nine flows whose fourth leads to the apex."""
    flows = np.full((1, 9, 2, 40, 30), later_pairs, np.float16)
    flows[:, :4] = first_pairs
    return pictures.draw_roi_motion(
        {"frames": ONSET[None], "positions": np.arange(10.0), "apex": np.array(4.0)},
        {"flows": flows, "factors": np.ones(1), "frame_numbers": np.arange(10)},
        {"landmarks": np.full((68, 2), (15.0, 20.0))},
    )


def test_arrows_show_the_motion_of_the_rois_up_to_the_apex() -> None:
    still, moving, back = draw_arrows(0, 0), draw_arrows(0.5, 0), draw_arrows(0.5, -1)
    assert still.shape == moving.shape == (3 * 40 + CAPTION_HEIGHT, 3 * 30 + 4, 3)
    assert (still[CAPTION_HEIGHT:] != moving[CAPTION_HEIGHT:]).any()
    np.testing.assert_array_equal(moving, back)


def test_a_picture_is_written_as_png(tmp_path) -> None:
    file = pictures.write_png(tmp_path / "bild-ü.png", ONSET)
    read = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(read[..., ::-1], ONSET)


def test_arrows_point_where_the_motion_goes_and_say_how_much_longer_they_are() -> None:
    motion = np.zeros((2, 40, 30), np.float32)
    motion[0, :, 15:] = 0.5
    picture, longer = pictures.draw_flow_arrows(ONSET, motion, scale=2, cells=10)
    assert picture.shape == (80, 60, 3)
    assert 0.5 * longer <= 1.5 * 3 < 0.5 * longer * 2.5, "the arrows fill a step of 3 px, on a round scale"
    green = picture[..., 1].astype(int) - picture[..., 0]
    assert (green[:, 34:] > 100).sum() > 4 * (green[:, :26] > 100).sum(), "where nothing moves there are dots"
    assert cv2.imdecode(np.frombuffer(pictures.encode_jpeg(picture), np.uint8), cv2.IMREAD_COLOR).shape == (80, 60, 3)
