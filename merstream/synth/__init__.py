"""Synthetic micro-expressions for tests and demos.

A public-domain portrait is reshaped into persons. Their action units move as the Facial Action Coding System says.
`write_dataset` films short clips at 200 fps in CASME II's layout, with the true motion beside them.
`write_long_videos` films minutes at any frame rate, with blinks, speech and posture shifts, and the events beside them.

    from merstream.synth import write_dataset
    write_dataset("data", subjects=8, clips=10, seed=0)
"""

from merstream.synth.dataset import write_dataset
from merstream.synth.difficulty import DIFFICULTIES, Difficulty, DifficultyName
from merstream.synth.long_dataset import write_long_videos
from merstream.synth.long_events import LongVideoSettings, VideoEvent
from merstream.synth.long_plan import plan_events
from merstream.synth.long_truth import VideoTruth, read_truth
from merstream.synth.long_video import LongVideo, compose_long_video, draw_long_video

__all__ = [
    "DIFFICULTIES",
    "Difficulty",
    "DifficultyName",
    "LongVideo",
    "LongVideoSettings",
    "VideoEvent",
    "VideoTruth",
    "compose_long_video",
    "draw_long_video",
    "plan_events",
    "read_truth",
    "write_dataset",
    "write_long_videos",
]
