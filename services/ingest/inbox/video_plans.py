"""`merstream.json` beside a video: by which model, and how, it is predicted."""

import uuid
from collections.abc import Mapping

from shared.errors import BadData
from shared.finished_runs import find_finished_run
from shared.inbox.names import plan_keys
from shared.inbox.plan_text import decode_plan
from shared.prediction.pipeline import PREDICTION_PIPELINE
from shared.records import Pipeline
from shared.store import ObjectInfo, Store
from shared.video_records import SHIPPED_NAME, Video, VideoPlan

LARGEST_PLAN = 1 << 16  # bytes


class VideoPlans:
    """Reads plans in `videos` and the runs in `store` that they name, each once as long as it is unchanged."""

    def __init__(self, videos: Store, store: Store) -> None:
        self.videos, self.store = videos, store
        self._read: dict[tuple[str, str], VideoPlan] = {}
        self._pipelines: dict[str, Pipeline] = {SHIPPED_NAME: PREDICTION_PIPELINE}

    def describe_video(self, video: ObjectInfo, plans: Mapping[str, ObjectInfo]) -> Video:
        """The video as a task under its plan, of those in the bucket by key. It is refused if the plan is wrong."""
        used = next((plans[key] for key in plan_keys(video.key) if key in plans), None)
        plan, pipeline, fault = VideoPlan(), PREDICTION_PIPELINE, ""
        try:
            plan = self._read_plan(used) if used else plan
            pipeline = self._find_pipeline(plan.model)
        except BadData as reason:
            fault = str(reason)
            if used and not fault.startswith(used.key):
                fault = f"{used.key}: {fault}"
        return Video(
            name=video.key,
            mark=video.etag,
            size=video.size,
            pipeline=pipeline,
            plan=plan,
            fault=fault,
            trace=uuid.uuid4().hex,
        )

    def _read_plan(self, entry: ObjectInfo) -> VideoPlan:
        place = entry.key, entry.etag
        if place not in self._read:
            if entry.size > LARGEST_PLAN:
                raise BadData(f"expected at most {LARGEST_PLAN} bytes of settings, got {entry.size}; correct it.")
            self._read[place] = decode_plan(self.videos.get(entry.key), VideoPlan, entry.key)
        return self._read[place]

    def _find_pipeline(self, model: str) -> Pipeline:
        """The settings of the image stages of what trained the model. Those of a table of features are not known."""
        if model not in self._pipelines:
            contents = find_finished_run(self.store, model).contents
            self._pipelines[model] = contents.features[0].pipeline if contents.features else PREDICTION_PIPELINE
        return self._pipelines[model]
