"""Courses in time: even sampling, second differences, running medians."""

import numpy as np

from shared.spotting.face_motion import Values


def sample_evenly(times: Values, values: Values, rate: float) -> Values:
    """Values [T, ...] at `times` [T] s -> the same at even times from the first one on, `rate` a second."""
    even = np.arange(times[0], times[-1] + 0.5 / rate, 1 / rate)
    flat = values.reshape(len(times), -1)
    return np.stack([np.interp(even, times, line) for line in flat.T], 1).reshape(len(even), *values.shape[1:])


def bend_course(course: Values, lag: int) -> Values:
    """Second differences [T, ...] of a course [T, ...] over `lag` frames; the ends are repeated."""
    padded = np.concatenate([np.repeat(course[:1], lag, 0), course, np.repeat(course[-1:], lag, 0)])
    return np.asarray(course - (padded[: -2 * lag] + padded[2 * lag :]) / 2)


def smooth_over_time(course: Values, sigma: float) -> Values:
    """A course [T, ...] smoothed by a Gaussian of `sigma` frames; its end values continue beyond its ends."""
    reach = int(np.ceil(3 * sigma))
    if reach == 0 or len(course) < 2:
        return course
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    flat = np.pad(course.reshape(len(course), -1), ((reach, reach), (0, 0)), mode="edge")
    lines = [np.convolve(line, kernel / kernel.sum(), mode="valid") for line in flat.T]
    return np.stack(lines, 1).reshape(course.shape)


def running_median(values: Values, width: int) -> Values:
    """Median [T, ...] over `width` frames around each frame: on every tenth of it, and linear between."""
    step = max(1, width // 10)
    places = np.arange(0, len(values), step)
    medians = np.array([np.median(values[max(0, at - width // 2) : at + width // 2 + 1], axis=0) for at in places])
    frames = np.arange(len(values))
    flat = medians.reshape(len(places), -1)
    return np.stack([np.interp(frames, places, line) for line in flat.T], 1).reshape(values.shape)
