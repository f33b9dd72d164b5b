"""The addresses of a video's page and of its files, and its place in lists."""

import hashlib

from shared.pipeline_status import VideoState
from shared.records import json_digest


def address_video(video: VideoState) -> str:
    """The path of the page, which stays when the prediction arrives. It has a digest, since names may hold anything."""
    return f"/videos/{json_digest([video.video, video.pipeline])[:16]}"


def name_video(video: VideoState) -> str:
    """A digest that names a prediction in an address: names of videos may hold anything."""
    keys = sorted(video.files.values())
    return hashlib.sha256("\n".join([video.video, video.pipeline, *keys]).encode()).hexdigest()[:16]


def locate_video(video: VideoState) -> tuple[str, str, str]:
    """Its place in lists by age."""
    return video.created, video.video, video.pipeline
