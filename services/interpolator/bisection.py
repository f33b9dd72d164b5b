"""Frames at fractional positions, by halving: the frame between two frames, then the one between it and its neighbour.

Positions between the same two frames share their first halvings. Frames that a clip repeats share all of them. So all
positions of a clip are searched together, with one batch of midpoints per depth, and no midpoint is computed twice.
Frames stay in float32 between halvings; only results are quantised.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from services.interpolator.motion import peak_motion
from services.interpolator.rife import Rife, unpack_frames
from shared.stage_settings.interpolator import InterpolatorSettings

Key: TypeAlias = "int | Pair"  # the index of a recorded frame, or the midpoint of two keys
Pair: TypeAlias = "tuple[Key, Key]"
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Bracket:
    """The two known frames nearest to a position on either side: their positions and their keys."""

    low: float
    high: float
    pair: Pair

    def half_containing(self, position: float) -> Bracket:
        """The half that contains the position, bounded by the midpoint."""
        middle, (first, second) = (self.low + self.high) / 2, self.pair
        if position < middle:
            return Bracket(self.low, middle, (first, self.pair))
        return Bracket(middle, self.high, (self.pair, second))


def frames_at(frames: Image, positions: Sequence[float], net: Rife, settings: InterpolatorSettings) -> Image:
    """Clip uint8 [T,H,W,3] RGB and N positions within 0..T-1 -> frames uint8 [N,H,W,3] at these positions.

    Memory: at most four packed float32 frames (12 bytes per pixel) per distinct position, besides one forward pass.
    """
    found = FrameSearch(frames, net, settings).find_frames(sorted(set(positions)))
    return np.stack([found[position] for position in positions])


class FrameSearch:
    """The search for all positions of one clip [T,H,W,3]. Packed frames are the network's input [3,H',W']."""

    def __init__(self, frames: Image, net: Rife, settings: InterpolatorSettings) -> None:
        self.frames, self.net, self.settings = frames, net, settings
        self.known: dict[Key, Tensor] = {}
        self.found: dict[float, Image] = {}

    def find_frames(self, positions: Sequence[float]) -> dict[float, Image]:
        """The frame uint8 [H,W,3] at each position."""
        brackets = self.initial_brackets(positions)
        for _ in range(self.settings.cycles):
            brackets = self.settle_brackets(brackets)
            self.compute_midpoints(bracket.pair for bracket in brackets.values())
            brackets = {position: bracket.half_containing(position) for position, bracket in brackets.items()}
            self.drop_unneeded_frames(brackets.values())
        for position, bracket in brackets.items():
            self.found[position] = self.render_frame(position, bracket)
        return self.found

    def initial_brackets(self, positions: Iterable[float]) -> dict[float, Bracket]:
        """The two recorded frames around each position; a frame that repeats an earlier one has the earlier index."""
        brackets: dict[float, Bracket] = {}
        originals: dict[bytes, int] = {}
        for position in positions:
            low = min(math.floor(position), len(self.frames) - 2)
            pair = [originals.setdefault(self.frame_digest(number), number) for number in (low, low + 1)]
            brackets[position] = Bracket(low, low + 1, (pair[0], pair[1]))
        return brackets

    def frame_digest(self, number: int) -> bytes:
        return hashlib.blake2b(self.frames[number].tobytes()).digest()

    def settle_brackets(self, brackets: dict[float, Bracket]) -> dict[float, Bracket]:
        """Render positions that are near a known frame or between frames that hardly differ; return the others."""
        near = {
            position
            for position, bracket in brackets.items()
            if self.nearest_known_frame(position, bracket) is not None
        }
        still = self.still_pairs(bracket.pair for position, bracket in brackets.items() if position not in near)
        remaining = {}
        for position, bracket in brackets.items():
            if position in near or bracket.pair in still:
                self.found[position] = self.render_frame(position, bracket)
            else:
                remaining[position] = bracket
        return remaining

    def nearest_known_frame(self, position: float, bracket: Bracket) -> Key | None:
        """The end of the bracket within the tolerance of the position, or None."""
        if position - bracket.low <= self.settings.tolerance:
            return bracket.pair[0]
        return bracket.pair[1] if bracket.high - position <= self.settings.tolerance else None

    def still_pairs(self, pairs: Iterable[Pair]) -> set[Pair]:
        """The pairs whose content moves so little that a blend shows the frames between them."""
        limit = self.settings.blend_below
        return {pair for pair in set(pairs) if limit and self.pair_motion(pair) <= limit}

    def pair_motion(self, pair: Pair) -> float:
        """The strongest motion between two known frames, px."""
        height, width = self.frames.shape[1:3]
        first, second = (self.packed_frame(key)[:, :height, :width] for key in pair)
        return peak_motion(first, second)

    def compute_midpoints(self, pairs: Iterable[Pair]) -> None:
        """Compute the unknown midpoints in one batch."""
        missing = [pair for pair in dict.fromkeys(pairs) if pair not in self.known]
        if missing:
            first, second = ([self.packed_frame(pair[end]) for pair in missing] for end in (0, 1))
            self.known.update(zip(missing, self.net.packed_midpoints(first, second), strict=True))

    def packed_frame(self, key: Key) -> Tensor:
        """The packed frame of a recorded frame or of a known midpoint."""
        if isinstance(key, int) and key not in self.known:
            self.known[key] = self.net.pack_frames(self.frames[key : key + 1])[0]
        return self.known[key]

    def drop_unneeded_frames(self, brackets: Iterable[Bracket]) -> None:
        """Drop the frames that bound no position any more."""
        needed = {key for bracket in brackets for key in bracket.pair}
        self.known = {key: frame for key, frame in self.known.items() if key in needed}

    def render_frame(self, position: float, bracket: Bracket) -> Image:
        """The frame uint8 [H,W,3] at a position: a recorded one, a computed one, or the blend of its neighbours."""
        key = self.nearest_known_frame(position, bracket)
        if isinstance(key, int):
            recorded: Image = self.frames[key]
            return recorded
        if key is not None:
            return self.quantise_frame(self.packed_frame(key))
        weight = (position - bracket.low) / (bracket.high - bracket.low)
        return self.quantise_frame(
            torch.lerp(self.packed_frame(bracket.pair[0]), self.packed_frame(bracket.pair[1]), weight)
        )

    def quantise_frame(self, packed: Tensor) -> Image:
        """A packed frame in 0..1 -> uint8 [H,W,3], rounded or truncated by the settings."""
        return quantise_levels(
            unpack_frames(packed[None], *self.frames.shape[1:3])[0] * np.float32(255), self.settings.quantise
        )


def quantise_levels(levels: NDArray[np.float32], rule: Literal["round", "truncate"]) -> Image:
    """Grey levels of any shape -> uint8, rounded or truncated, within 0..255."""
    whole = np.rint(levels) if rule == "round" else np.trunc(levels)
    return np.asarray(whole.clip(0, 255), dtype=np.uint8)
