"""Synthetic micro-expressions for tests and demos.

A public-domain portrait is reshaped into persons. Their action units move as the Facial Action Coding System says,
filmed at 200 fps. The files have CASME II's layout, with the true motion beside them.

    from merstream.synth import write_dataset
    write_dataset("data", subjects=8, clips=10, seed=0)
"""

from merstream.synth.dataset import write_dataset
from merstream.synth.difficulty import DIFFICULTIES, Difficulty, DifficultyName

__all__ = ["DIFFICULTIES", "Difficulty", "DifficultyName", "write_dataset"]
