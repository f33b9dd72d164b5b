"""Drawn faces for a distribution's frames: the person, the motion and the noise are those of the synthetic dataset."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from merstream.synth import clip as drawing
from merstream.synth import emotions, identity
from merstream.synth.difficulty import DEFAULT_DIFFICULTY
from tests.dataset_layouts.layout import Clip
from tests.dataset_layouts.write import Frames


def faces(seed: int = 0, size: tuple[int, int] = (240, 320), crop: bool = True) -> Frames:
    """Frames of `size` (rows, columns), or the face cut out of them; the same for the same seed."""

    @lru_cache(maxsize=1)
    def drawn(clip: Clip) -> dict[int, NDArray[np.uint8]]:
        return _drawn(clip, seed, size, crop)

    return Frames(lambda clip, number: drawn(clip)[number])


def _drawn(clip: Clip, seed: int, size: tuple[int, int], crop: bool) -> dict[int, NDArray[np.uint8]]:
    """Every frame from two before the onset to two after the offset."""
    person = identity.draw_identity(seed, clip.subject, size)
    rng = identity.random_generator(seed, clip.subject, clip.onset, clip.offset)
    felt = clip.emotion if clip.emotion in emotions.EMOTION_PROTOTYPES else "others"
    movements = emotions.draw_movements(rng, felt, emotions.draw_habits(rng, DEFAULT_DIFFICULTY), DEFAULT_DIFFICULTY)
    apex = clip.apex if clip.apex is not None else (clip.onset + clip.offset) // 2
    timing = drawing.ClipTiming(max(clip.onset - 2, 0), clip.onset, apex, clip.offset, clip.offset + 2)
    motion = drawing.draw_motion(rng, person, movements, timing, size, DEFAULT_DIFFICULTY)
    left, top, right, bottom = motion.crop
    area = np.s_[top:bottom, left:right] if crop else np.s_[:, :]
    pictures = drawing.render_frames(rng, person, motion, DEFAULT_DIFFICULTY)
    return {int(number): picture[area] for number, picture in zip(motion.numbers, pictures, strict=True)}
