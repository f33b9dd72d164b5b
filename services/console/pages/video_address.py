"""The address of a video's page."""

from shared.pipeline_status import VideoState
from shared.records import json_digest


def address_video(video: VideoState) -> str:
    """The path of the page, which stays when the prediction arrives. It has a digest, since names may hold anything."""
    return f"/videos/{json_digest([video.video, video.pipeline])[:16]}"
