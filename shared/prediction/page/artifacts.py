"""What the image stages made of one event, for its pictures."""

from dataclasses import dataclass

from shared.stage import Arrays


@dataclass(frozen=True)
class EventArtifacts:
    """The artifacts of one event's stages, as `read_artifact(store, artifact, name)` gives them.

    ingest: `frames` uint8 [T, H, W, 3] with `onset`, `apex`, `offset`. interpolator: `frames` uint8 [N, H, W, 3] and
    their timing. magnifier: `frames` uint8 [F, N, H, W, 3], `factors` [F]. flow: `flows` [F, N - 1, 2, H, W] px,
    `factors`. features: `landmarks` float64 [68, 2] px and what else `roi-au` stores.
    """

    ingest: Arrays
    interpolator: Arrays
    magnifier: Arrays
    flow: Arrays
    features: Arrays
