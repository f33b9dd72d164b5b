"""One micro-expression: the motion of each action unit over time, and the frames of a 200 fps camera."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from merstream.synth.action_units import FaceAxes
from merstream.synth.difficulty import Difficulty
from merstream.synth.emotions import AuMovement
from merstream.synth.identity import OVERSAMPLING, Identity
from merstream.synth.true_motion import ClipMotion, SourceMapper
from merstream.synth.warping import Floats

FPS = 200
NOISE_MARGIN = 64  # px: largest shift of a frame's noise in the clip's noise picture


@dataclass(frozen=True)
class ClipTiming:
    """Frame numbers as in the coding sheet, and those of the first and last frame on disk."""

    first: int
    onset: int
    apex: int
    offset: int
    last: int


def draw_timing(rng: np.random.Generator, difficulty: Difficulty) -> ClipTiming:
    """Random frame numbers: the apex at 30..60 % of the clip, a few frames before onset and after offset."""
    length = max(4, round(FPS * rng.uniform(*difficulty.duration)))
    before, after = rng.integers(3, 9, 2)
    onset = int(rng.integers(20, 300))
    apex = onset + int(np.clip(round(length * rng.uniform(0.3, 0.6)), 2, length - 2))
    return ClipTiming(onset - int(before), onset, apex, onset + length, onset + length + int(after))


def amplitude_envelope(frame_numbers: Floats, timing: ClipTiming, residual: float, rise: float = 1.0) -> Floats:
    """Amplitude [T] in 0..1 at `frame_numbers` [T]: 0 up to the onset, 1 at the apex, `residual` from the offset on.

    The course consists of raised cosines. `rise` bends the part before the apex: above 1 it starts late, below 1 early.
    """
    up = np.clip((frame_numbers - timing.onset) / (timing.apex - timing.onset), 0, 1)
    down = np.clip((frame_numbers - timing.apex) / (timing.offset - timing.apex), 0, 1)
    rising = ((1 - np.cos(np.pi * up)) / 2) ** rise
    return np.asarray(rising * (1 - (1 - residual) * (1 - np.cos(np.pi * down)) / 2))


def draw_motion(
    rng: np.random.Generator,
    identity: Identity,
    movements: list[AuMovement],
    timing: ClipTiming,
    size: tuple[int, int],
    difficulty: Difficulty,
) -> ClipMotion:
    """The clip's motion; amplitudes and head motion scale with the frame's height."""
    scale = size[0] / 480
    numbers = np.arange(timing.first, timing.last + 1)
    residual = float(rng.uniform(0, difficulty.residual))
    columns, units = [], []
    for movement in movements:
        course = amplitude_envelope(numbers.astype(float), timing, residual, float(rng.uniform(0.75, 1.4)))
        for side, peak in movement.peaks:
            units.append(f"{movement.au_number}{side}")
            columns.append(scale * peak * course)
    head = _slow_drift(rng, len(numbers), np.array([1, 1, 0]) * scale * difficulty.head_motion) + _slow_drift(
        rng, len(numbers), np.array([0, 0, 1]) * np.deg2rad(difficulty.head_rotation)
    )
    (aside,) = rng.spawn(1)  # a generator of its own, so that turns and lids change nothing of a clip without them
    turns = _slow_drift(aside, len(numbers), np.array([1, 1, 0]) * np.deg2rad(difficulty.head_turn))[:, :2]
    if aside.random() < difficulty.lids:
        units += ["45L", "45R"]
        columns += [scale * _lid_flutter(aside, numbers)] * 2
    crop = crop_box(identity.landmarks, size)
    return ClipMotion(
        numbers,
        tuple(units),
        np.stack(columns, 1),
        np.hstack([head, turns]),
        identity.landmarks,
        size,
        crop,
        difficulty.skin,
    )


def _lid_flutter(rng: np.random.Generator, numbers: NDArray[np.int64]) -> Floats:
    """[T] px: the way of the upper lids down in an incomplete blink at a random time."""
    length, peak = FPS * rng.uniform(0.1, 0.3), rng.uniform(1.0, 3.0)
    middle = rng.uniform(numbers[0], numbers[-1])
    return np.asarray(peak * np.cos(np.pi * np.clip((numbers - middle) / length, -0.5, 0.5)) ** 2)


@dataclass(frozen=True)
class SlowDrift:
    """Slow motion without an end: three sinusoids for each of three components, with an rms of `rms` [3] in sum."""

    rates: Floats  # [1, 3, 3] Hz
    phases: Floats  # [1, 3, 3] rad
    rms: Floats

    @classmethod
    def draw(cls, rng: np.random.Generator, rms: Floats, band: tuple[float, float] = (0.4, 2.0)) -> "SlowDrift":
        """A drift with frequencies in `band`, Hz. rms: [3]."""
        return cls(rng.uniform(*band, (1, 3, 3)), rng.uniform(0, 2 * np.pi, (1, 3, 3)), rms)

    def at(self, seconds: Floats) -> Floats:
        """The drift [T, 3] at the times `seconds` [T]."""
        angles = 2 * np.pi * self.rates * seconds[:, None, None] + self.phases
        return np.asarray(np.sqrt(2 / 3) * self.rms * np.sin(angles).sum(1))


def _slow_drift(rng: np.random.Generator, frames: int, rms: Floats) -> Floats:
    """[frames, 3] slow drift of 0.4..2 Hz, with an rms of `rms` [3]."""
    return SlowDrift.draw(rng, rms).at(np.arange(frames) / FPS)


def crop_box(landmarks: Floats, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom (px) of the face, cropped as in CASME II: forehead to chin, about 280 x 340 px.

    landmarks: [68, 2] (x, y), px; size: rows, columns of the frame.
    """
    (left, top), (right, bottom) = landmarks.min(0), landmarks.max(0)
    width, height = right - left, bottom - top
    box = np.round([left - 0.06 * width, top - 0.3 * height, right + 0.06 * width, bottom + 0.08 * height])
    limits = [size[1], size[0]] * 2
    x0, y0, x1, y1 = (int(np.clip(v, 0, limit)) for v, limit in zip(box, limits, strict=True))
    return x0, y0, x1, y1


@dataclass(frozen=True)
class CoverLayer:
    """What lies over a part of the face: its `box` of rows and columns, its source x and y, and its cover, [h, w]."""

    box: tuple[slice, slice]
    x: Floats
    y: Floats
    cover: Floats


class DrawnCamera:
    """The picture of a face through lens and sensor: the light, its flicker, and the sensor's noise."""

    def __init__(self, rng: np.random.Generator, identity: Identity, size: tuple[int, int], noise: float) -> None:
        """size: rows, columns of a frame; noise: grey levels, standard deviation."""
        self.identity, self.size = identity, size
        rows, columns = size
        self.grain = _sensor_grain(rng, rows + NOISE_MARGIN, columns + NOISE_MARGIN) * np.float32(noise)
        # [H, W] distances between the eyes from the bridge of the nose to the picture's right.
        self.across, _ = FaceAxes.from_landmarks(identity.landmarks).local_coordinates(identity.landmarks[27], size)

    def take_frame(
        self,
        rng: np.random.Generator,
        source: tuple[Floats, Floats],
        light: Floats | None,
        flicker: float,
        gain: float = 1.0,
        layers: Sequence[CoverLayer] = (),
    ) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] RGB of the `source` coordinates, each [H, W] px, under the `layers`.

        light: a factor for each pixel [H, W], or None. gain: a factor on all. flicker: relative standard deviation.
        """
        rows, columns = self.size
        clean = self._sample_person(*source)
        for layer in layers:
            cover = layer.cover[..., None]
            clean[layer.box] = clean[layer.box] * (1 - cover) + self._sample_person(layer.x, layer.y) * cover
        if light is not None:
            clean = clean * light[..., None]
        top, left = rng.integers(0, NOISE_MARGIN, 2)
        gain *= float(1 + flicker * rng.standard_normal())
        noise = self.grain[top : top + rows, left : left + columns]
        seen = cv2.addWeighted(clean, gain, noise, 1.0, 0.0, dtype=cv2.CV_8U)  # rounds and saturates
        return np.asarray(seen, np.uint8)

    def _sample_person(self, x: Floats, y: Floats) -> Floats:
        x, y = (v * np.float32(OVERSAMPLING) + np.float32((OVERSAMPLING - 1) / 2) for v in (x, y))
        return np.asarray(
            cv2.remap(self.identity.image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.float32
        )


def render_frames(
    rng: np.random.Generator, identity: Identity, motion: ClipMotion, difficulty: Difficulty
) -> Iterator[NDArray[np.uint8]]:
    """Yield each frame of the clip, uint8 [H, W, 3] RGB, with the light's flicker and the sensor's noise."""
    mover = SourceMapper(motion)
    camera = DrawnCamera(rng, identity, motion.size, difficulty.noise)
    (aside,) = rng.spawn(1)
    sides = _slow_drift(aside, len(motion.numbers), np.array([1, 0, 0]) * difficulty.side_light)[:, 0]
    for index in range(len(motion.numbers)):
        light = 1 + np.float32(sides[index]) * camera.across if difficulty.side_light else None
        yield camera.take_frame(rng, mover.source_coordinates(index), light, difficulty.flicker)


def _sensor_grain(rng: np.random.Generator, rows: int, columns: int) -> Floats:
    """Unit noise float32 [rows, columns, 3]; the colours share most of it, as they come from the same few sensels."""
    normal = rng.standard_normal((rows, columns, 4), np.float32)
    return np.asarray(np.float32(0.8) * normal[..., 3:] + np.float32(0.6) * normal[..., :3])
