"""Synthetic micro-expressions for tests and demos: a public-domain portrait re-shaped into persons whose action units
move as the Facial Action Coding System says, filmed at 200 fps, in CASME II's layout, with the true motion beside it.

    from merstream.synth import write
    write("data", subjects=8, clips=10, seed=0)
"""

from merstream.synth.dataset import write_dataset
from merstream.synth.difficulty import DIFFICULTIES, Difficulty, DifficultyName

__all__ = ["DIFFICULTIES", "Difficulty", "DifficultyName", "write_dataset"]
