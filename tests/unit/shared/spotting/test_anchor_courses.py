"""Courses from several anchors become one."""

import numpy as np

from shared.spotting.anchor_courses import join_courses


def test_a_newer_anchor_continues_the_older_ones_course() -> None:
    times = np.arange(40) / 10
    true = np.sin(times)[:, None, None] * np.array([[1.0, -2.0]])
    measured = np.full((40, 2, 1, 2), np.nan)
    measured[:25, 0] = true[:25]
    measured[20:25, 1] = true[20:25] - true[20]  # the newer anchor is frame 20
    measured[25:, 0] = true[25:] - true[20]
    anchors = np.where(np.arange(40) < 25, 0, 1)
    np.testing.assert_allclose(join_courses(times, anchors, measured), true, atol=1e-12)


def test_one_fades_into_the_other_while_both_are_measured() -> None:
    times = np.arange(6) / 10
    measured = np.full((6, 2, 1, 2), np.nan)
    measured[:5, 0] = 0.0
    measured[:5, 1] = np.array([-1, -1, 0, 1, 1.0])[:, None, None]
    measured[5, 0] = 1.0
    found = join_courses(times, np.array([0, 0, 0, 0, 0, 1]), measured)[:, 0, 0]
    np.testing.assert_allclose(found, [0, -0.25, 0, 0.75, 1, 1])
