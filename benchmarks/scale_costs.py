"""Measured costs of one clip in each stage: CPU seconds, bytes read and written; and of one clip in a training step.

    PYTHONPATH=. python benchmarks/scale_costs.py   # three minutes; writes benchmarks/results/scale-costs.json

Two drawn clips (`mer synth`, seed 4) go through every stage at its defaults in this process, with one thread. CPU
seconds are those of the second clip, since the first one compiles kernels, loads weights and fills caches.
`benchmarks/scale_sim.py` computes with the figures.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from merstream.single_thread import THREAD_COUNT_VARIABLES

os.environ.update(dict.fromkeys(THREAD_COUNT_VARIABLES, "1"))  # before the libraries read them

import numpy as np
import torch

from benchmarks.common import argument_parser, describe_machine, draw_clips, result_file, time_call, write_result
from merstream.stages import STAGES
from services.ingest.catalogue.entry import FoundClip
from services.ingest.source_packing import pack_source
from services.trainer.data import features as dataset
from services.trainer.learners.base import NO_CALLBACKS
from services.trainer.learners.registry import create_learner
from shared.records import Sample
from shared.stage import Arrays
from shared.store.npz import pack_arrays
from shared.training.settings import LITE_SETTINGS

TRAINING_CLIPS, EPOCHS = 32, 4


def measure_stage_costs(clip: FoundClip) -> tuple[list[dict[str, Any]], Arrays]:
    """The costs of each stage, and the clip's features."""
    made: dict[str, Arrays] = {"source": pack_source(clip)}
    sizes, rows = {"source": len(pack_arrays(made["source"]))}, []
    for stage in STAGES:
        inputs = {name: made[name] for name in stage.reads}
        timed = time_call(lambda stage=stage, inputs=inputs: stage.compute(inputs, stage.profiles["corrected"]))
        made[stage.name] = timed.result
        sizes[stage.name] = len(pack_arrays(timed.result))
        megabytes = {
            "read MB": sum(sizes[name] for name in stage.reads) / 1e6,
            "written MB": sizes[stage.name] / 1e6,
        }
        rows.append({"stage": stage.name, "cpu s": timed.cpu_seconds, **megabytes})
    source = {"stage": "source", "cpu s": 0.0, "read MB": 0.0, "written MB": sizes["source"] / 1e6}
    return [source, *rows], made["roi-au"]


def training_seconds(features: Arrays) -> float:
    """CPU seconds of fmer-lite per clip and epoch."""
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
    subset = dataset.FeatureSubset(built, np.arange(TRAINING_CLIPS))
    timed = time_call(lambda: fitted.fit(subset, NO_CALLBACKS))
    return timed.cpu_seconds / (TRAINING_CLIPS * EPOCHS)


def main() -> None:
    options = argument_parser(__doc__, result_file("scale-costs")).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        first, second = draw_clips(Path(folder), subjects=1, clips=2, seed=4)
        measure_stage_costs(first)
        rows, features = measure_stage_costs(second)
    result = {
        "machine": describe_machine("numpy", "numba", "opencv-python-headless", "torch"),
        "frames of the clip": len(second.files),
        "stages": rows,
        "fmer-lite CPU s per clip and epoch": round(training_seconds(features), 5),
    }
    write_result(options.out, result)
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
