"""What one clip costs each stage, measured: CPU seconds, bytes read and written; and one clip in one training step.

    python benchmarks/scale_costs.py                # three minutes; writes benchmarks/results/scale-costs.json

Two drawn clips (`mer synth`) go through every stage at its defaults in this process, one thread. CPU seconds are the
second clip's: the first compiles, loads and warms. `benchmarks/scale_sim.py` reckons with the figures.
"""

import json
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import numpy as np
import torch

from merstream import synth
from merstream.stages import STAGES
from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_packing import pack_source as packed_files
from services.trainer.data import features as dataset
from services.trainer.learners.base import NO_CALLBACKS
from services.trainer.learners.registry import create_learner
from services.trainer.settings import LITE_SETTINGS
from shared.records import Sample
from shared.stage import Arrays
from shared.store.npz import pack_arrays

RESULT = Path(__file__).parent / "results" / "scale-costs.json"
TRAINING_CLIPS, EPOCHS = 32, 4


def draw_two_clips() -> list[FoundClip]:
    folder = Path(tempfile.mkdtemp())
    synth.write_dataset(folder / "drawn", subjects=1, clips=2, seed=4)
    return [clip for clip in discover_clips(folder / "drawn") if isinstance(clip, FoundClip)]


def measure_stage_costs(clip: FoundClip) -> tuple[list[dict[str, Any]], Arrays]:
    """The costs of each stage, and the clip's features."""
    made: dict[str, Arrays] = {"source": packed_files(clip)}
    sizes, rows = {"source": len(pack_arrays(made["source"]))}, []
    for stage in STAGES:
        start = time.process_time()
        made[stage.name] = stage.compute({name: made[name] for name in stage.reads}, stage.profiles["corrected"])
        seconds = time.process_time() - start
        sizes[stage.name] = len(pack_arrays(made[stage.name]))
        read = sum(sizes[name] for name in stage.reads)
        rows.append(
            {"stage": stage.name, "cpu s": seconds, "read MB": read / 1e6, "written MB": sizes[stage.name] / 1e6}
        )
    return [{"stage": "source", "cpu s": 0.0, "read MB": 0.0, "written MB": sizes["source"] / 1e6}, *rows], made[
        "roi-au"
    ]


def training_seconds(features: Arrays) -> float:
    """CPU seconds that fmer-lite takes per clip and epoch."""
    pairs = []
    for number in range(TRAINING_CLIPS):
        emotion = ("happiness", "others")[number % 2]
        sample = Sample(
            dataset="d", subject=str(number % 4), clip=str(number), emotion=emotion, onset=0, offset=1, fps=200
        )
        pairs.append((sample, features))
    built = dataset.features_from_pairs(iter(pairs))
    settings = LITE_SETTINGS.model_copy(update={"epochs": EPOCHS, "oracle": False})
    fitted = create_learner(len(built.classes), settings)
    start = time.process_time()
    fitted.fit(dataset.FeatureSubset(built, np.arange(TRAINING_CLIPS)), NO_CALLBACKS)
    return (time.process_time() - start) / (TRAINING_CLIPS * EPOCHS)


def main() -> None:
    torch.set_num_threads(1)
    first, second = draw_two_clips()
    measure_stage_costs(first)
    rows, features = measure_stage_costs(second)
    result = {
        "machine": {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count()},
        "frames of the clip": len(second.files),
        "stages": rows,
        "fmer-lite CPU s per clip and epoch": round(training_seconds(features), 5),
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
