"""Records of features without arrays."""

import hashlib
from datetime import UTC, datetime

from shared.records import Artifact, Record, Sample, artifact_key

CREATED = datetime(2026, 1, 1, tzinfo=UTC)
STAGES = ("source", "ingest", "interpolator", "magnifier", "flow", "roi-au")


def draw_features(clip: str, dataset: str = "d", upload: str = "") -> Record:
    """A record with digests as random as real ones."""
    sample = Sample(dataset=dataset, subject="s", clip=clip, onset=0, offset=1, fps=200)
    digests = {stage: hashlib.sha256(f"{dataset}{clip}{upload}{stage}".encode()).hexdigest() for stage in STAGES}
    artifacts = {
        stage: Artifact(key=artifact_key(stage, sample, digest[:32]), sha256=digest[::-1], size=1)
        for stage, digest in digests.items()
    }
    own = artifacts.pop("roi-au")
    about = {"recipe": digests["roi-au"][:32], "trace": "t", "created": CREATED}
    return Record(sample=sample, stage="roi-au", artifact=own, inputs=artifacts, **about)
