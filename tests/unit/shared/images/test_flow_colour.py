import numpy as np

from shared.images.flow_colour import colour_flow, draw_colour_wheel


def test_no_motion_is_white_and_direction_is_hue() -> None:
    flow = np.zeros((2, 1, 4), np.float32)
    flow[:, 0, 1] = (1, 0)
    flow[:, 0, 2] = (-1, 0)
    flow[:, 0, 3] = (-5, 0)
    still, right, left, far_left = colour_flow(flow, full_colour_length=1.0)[0].tolist()
    assert still == [255, 255, 255]
    assert right == [255, 0, 0]
    assert left == far_left == [0, 255, 255]


def test_the_wheel_is_white_in_the_middle_and_outside() -> None:
    key = draw_colour_wheel(33)
    assert key[16, 16].tolist() == key[0, 0].tolist() == [255, 255, 255]


def test_down_is_lime_and_up_is_violet_as_a_picture_has_its_rows() -> None:
    flow = np.zeros((2, 1, 2), np.float32)
    flow[1, 0] = (1, -1)
    assert colour_flow(flow, full_colour_length=1.0)[0].tolist() == [[128, 255, 0], [128, 0, 255]]
