"""A long drawn video as pure functions: any frame of it as an array, and where the skin is in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from merstream.synth.clip import CoverLayer, DrawnCamera, SlowDrift
from merstream.synth.difficulty import DEFAULT_DIFFICULTY, Difficulty
from merstream.synth.identity import Identity, draw_identity, random_generator
from merstream.synth.long_events import DEFAULT_SETTINGS, LongVideoSettings, VideoEvent
from merstream.synth.long_plan import plan_events
from merstream.synth.openings import MAX_OPENING, EyeLids, LipParting
from merstream.synth.true_motion import FaceWarp
from merstream.synth.warping import Floats

CLOCK = 90_000  # ticks per second of a video with a variable rate, as in MPEG
JITTER = 0.3  # largest deviation of a frame's time from the even one, in frames
SWAY_BAND = (0.03, 0.2)  # Hz


@dataclass(frozen=True)
class FaceState:
    """The face at one time.

    head: [5] as in `ClipMotion.head`. weights: [K] px, of `LongVideo.units`. closures: 0..1, of the left and the right
    eye. opening: of the lips, distances between the eyes. gain: factor on the light. side_light: its relative change to
    the picture's right per distance between the eyes.
    """

    head: Floats
    weights: Floats
    closures: tuple[float, float]
    opening: float
    gain: float
    side_light: float


@dataclass(frozen=True)
class LongVideo:
    """One video to draw. `person` has frames of `size` = rows, columns. `rate`: frames per second.

    `events` are sorted by onset. `variable`: the frames come unevenly, as from a telephone.
    """

    seed: int
    subject: int
    number: int
    seconds: float
    rate: Fraction
    size: tuple[int, int]
    events: Sequence[VideoEvent]
    difficulty: Difficulty = DEFAULT_DIFFICULTY
    settings: LongVideoSettings = DEFAULT_SETTINGS
    variable: bool = False

    @cached_property
    def person(self) -> Identity:
        """The person at rest, the same in all videos of this size."""
        return draw_identity(self.seed, self.subject, self.size)

    @property
    def scale(self) -> float:
        """Px of this video's frames per px of a 480-row frame."""
        return self.size[0] / 480

    @property
    def frame_count(self) -> int:
        """How many frames the video has."""
        return max(1, round(self.seconds * self.rate))

    @property
    def time_base(self) -> Fraction:
        """Seconds per tick of the time stamps."""
        return Fraction(1, CLOCK) if self.variable else Fraction(1, self.rate.numerator)

    def stamp_of(self, index: int) -> int:
        """The time stamp of a frame, in ticks of `time_base`. Frame 0 has stamp 0."""
        if not self.variable:
            return index * self.rate.denominator
        jitter = random_generator(self.seed, self.subject, 6, self.number, index).uniform(-JITTER, JITTER)
        return round(CLOCK * (index + (jitter if index else 0)) / self.rate)

    def seconds_of(self, index: int) -> float:
        """When a frame is shown, and what it shows."""
        return float(self.stamp_of(index) * self.time_base)

    def nearest_frame(self, seconds: float) -> int:
        """The index of the frame whose time is the nearest."""
        middle = round(seconds * self.rate)
        near = [index for index in range(middle - 1, middle + 2) if 0 <= index < self.frame_count]
        return min(near or [self.frame_count - 1], key=lambda index: abs(self.seconds_of(index) - seconds))

    @cached_property
    def units(self) -> tuple[str, ...]:
        """The action units that move at all."""
        return tuple(sorted({unit for event in self.events for unit, _ in event.units}))

    @cached_property
    def eyes(self) -> tuple[EyeLids, EyeLids]:
        """The left and the right eye."""
        left, right = (EyeLids.from_landmarks(self.person.landmarks, side) for side in "LR")
        return left, right

    @cached_property
    def lips(self) -> LipParting:
        """The line between the lips."""
        return LipParting.from_landmarks(self.person.landmarks)

    @cached_property
    def warp(self) -> FaceWarp:
        """The backward map of the face."""
        return FaceWarp(self.person.landmarks, self.size, self.units, self.difficulty.skin)

    @cached_property
    def _spans(self) -> Floats:
        """[events, 2] s: onsets and offsets, to find what happens at a time."""
        return np.array([(event.onset, event.offset) for event in self.events]).reshape(-1, 2)

    @cached_property
    def _stays(self) -> dict[str, tuple[list[VideoEvent], Floats]]:
        """Posture shifts and lighting changes, whose end state stays, with their onsets."""
        found = {kind: [event for event in self.events if event.kind == kind] for kind in ("posture", "light")}
        return {kind: (events, np.array([event.onset for event in events])) for kind, events in found.items()}

    @cached_property
    def _drifts(self) -> tuple[SlowDrift, ...]:
        """Of the head: quick (shift, roll), slow (shift, roll), quick turns, slow turns; of the light's side."""
        rng, difficulty, settings = (
            random_generator(self.seed, self.subject, 5, self.number),
            self.difficulty,
            self.settings,
        )
        quick = np.array([difficulty.head_motion * self.scale] * 2 + [np.deg2rad(difficulty.head_rotation)])
        sway = np.array([settings.sway_px * self.scale] * 2 + [np.deg2rad(settings.sway_degrees)])
        turn = np.deg2rad(difficulty.head_turn)
        return (
            SlowDrift.draw(rng, quick),
            SlowDrift.draw(rng, sway, SWAY_BAND),
            SlowDrift.draw(rng, np.array([turn, turn, 0])),
            SlowDrift.draw(rng, np.deg2rad([settings.sway_degrees, settings.sway_degrees, 0]), SWAY_BAND),
            SlowDrift.draw(rng, np.array([difficulty.side_light, 0, 0])),
        )

    def _find_stay(self, kind: str, seconds: float, default: tuple[float, ...]) -> Floats:
        """The state of posture or light at a time: that of the latest change."""
        events, onsets = self._stays[kind]
        at = int(np.searchsorted(onsets, seconds))
        if at == 0:
            return np.array(default)
        event = events[at - 1]
        before, after = np.array(event.before), np.array(event.after)
        return np.asarray(before + (after - before) * event.level_at(seconds))

    def state_at(self, seconds: float) -> FaceState:
        """The face at a time: the sum of what happens."""
        weights, closures, opening = np.zeros(len(self.units)), [0.0, 0.0], 0.0
        for at in np.flatnonzero((self._spans[:, 0] < seconds) & (seconds < self._spans[:, 1])).tolist():
            event = self.events[at]
            level = event.level_at(seconds)
            for unit, peak in event.units:
                weights[self.units.index(unit)] += self.scale * peak * level
            opening += event.opening * level
            for side in event.closed:
                closures["LR".index(side)] = max(closures["LR".index(side)], level)
        quick, sway, turns, slow_turns, side = (drift.at(np.array([seconds]))[0] for drift in self._drifts)
        posture = self._find_stay("posture", seconds, (0.0,) * 5)
        gain, side_light = self._find_stay("light", seconds, (1.0, 0.0))
        head = posture * [self.scale, self.scale, 1, 1, 1]
        head[:3] += quick + sway
        head[3:] += (turns + slow_turns)[:2]
        left, right = closures
        return FaceState(
            head, weights, (left, right), min(opening, MAX_OPENING), float(gain), float(side_light + side[0])
        )

    def map_pixels(self, state: FaceState) -> tuple[Floats, Floats]:
        """x and y, float32 [H, W]: each pixel's place in the picture of the person at rest, in frame px; eyes open."""
        active = np.flatnonzero(state.weights)
        field = np.tensordot(state.weights[active].astype(np.float32), self.warp.fields[active], 1)
        x, y = self.warp.find_source(state.head, field)
        if state.opening:
            box = self.lips.bounding_box(self.size, self._reach(state))
            x[box], y[box] = self.lips.open(x[box], y[box], state.opening)
        return x, y

    def draw_lids(self, state: FaceState, source: tuple[Floats, Floats]) -> Iterator[CoverLayer]:
        """The lids that come down over the frame of the `source` x and y, [H, W] px each."""
        for eye, closure in zip(self.eyes, state.closures, strict=True):
            if closure:
                box = eye.bounding_box(self.size, self._reach(state))
                yield CoverLayer(box, *eye.draw_lid(source[0][box], source[1][box], closure))

    def _reach(self, state: FaceState) -> float:
        """Px by which a point of the face may be away from its place at rest."""
        turned = 0.3 * float(np.abs(state.head[2:]).sum()) * self.size[0]
        return float(np.hypot(*state.head[:2])) + turned + 20 * self.scale  # what action units add

    @cached_property
    def camera(self) -> DrawnCamera:
        """The camera, with the noise of its sensor."""
        rng = random_generator(self.seed, self.subject, 7, self.number)
        return DrawnCamera(rng, self.person, self.size, self.difficulty.noise)

    def draw_frame(self, index: int) -> NDArray[np.uint8]:
        """Frame `index`, uint8 [H, W, 3] RGB; the same whichever frames were drawn before."""
        state = self.state_at(self.seconds_of(index))
        light = None
        if state.side_light:
            light = np.float32(1) + np.float32(state.side_light) * self.camera.across.astype(np.float32)
        rng = random_generator(self.seed, self.subject, 8, self.number, index)
        source = self.map_pixels(state)
        lids = list(self.draw_lids(state, source))
        return self.camera.take_frame(rng, source, light, self.difficulty.flicker, state.gain, lids)

    def find_landmarks(self, index: int) -> Floats:
        """The true landmarks [68, 2] (x, y) px in frame `index`, head motion and action units included.

        A lid that closes does not move them: they are those of the open eye.
        """
        state = self.state_at(self.seconds_of(index))
        return self.find_points(self.person.landmarks, state)

    def find_points(self, points: Floats, state: FaceState) -> Floats:
        """Where points [N, 2] (x, y) px of the person at rest are in a frame: [N, 2] px, whatever the lids do."""
        return self.warp.follow_points(points, *self.map_pixels(state))


def compose_long_video(
    seed: int = 0,
    subject: int = 1,
    number: int = 1,
    *,
    seconds: float = 60.0,
    fps: float = 30.0,
    size: tuple[int, int] = (480, 640),
    difficulty: Difficulty = DEFAULT_DIFFICULTY,
    settings: LongVideoSettings | None = None,
    variable: bool = False,
) -> LongVideo:
    """The video `number` of a person with its planned events. size: rows, columns. Nothing is drawn yet.

    The events are the same at every frame rate and size.
    """
    settings = settings or DEFAULT_SETTINGS
    events = plan_events(seed, subject, seconds, number=number, settings=settings, difficulty=difficulty)
    rate = Fraction(fps).limit_denominator(1001)
    return LongVideo(seed, subject, number, seconds, rate, size, events, difficulty, settings, variable)


def draw_long_video(video: LongVideo) -> Iterator[NDArray[np.uint8]]:
    """Yield each frame of the video, uint8 [H, W, 3] RGB. One frame is in memory at a time."""
    return (video.draw_frame(index) for index in range(video.frame_count))
