"""Videos: a frame's number and its time, strict decoding, and pictures that are what they seem."""

from shared.video.reading import read_packed_frames, read_video_frames

__all__ = ["read_packed_frames", "read_video_frames"]
