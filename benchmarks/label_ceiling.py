"""What a learner could reach at most on drawn clips: emotions and action units from the true motion.

    PYTHONPATH=. python benchmarks/label_ceiling.py DATASET    # seconds; prints, and writes with --out

DATASET is a folder of `mer synth`. Some drawn clips of class others move like another class, some action units are
foreign to the emotion, and the coder misses some (`merstream.synth.Difficulty`). No learner can know that. Two learners
see the true amplitude of every action unit and side at the apex instead of features: a logistic regression, and a
forest of extremely randomised trees. Leave-one-subject-out, predictions pooled, as in `ablation.py`. For action units,
every unit that moves counts as predicted, on the units that a run would score.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression

from benchmarks.common import argument_parser, write_result
from merstream.synth.true_motion import load_motion
from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.trainer.evaluation.metrics import score_action_units, score_emotions
from shared.training.annotations import au_vector, units_of_clips

LEARNERS = {
    "logistic regression": lambda: LogisticRegression(C=10, max_iter=5000, class_weight="balanced"),
    "trees": lambda: ExtraTreesClassifier(400, class_weight="balanced", random_state=0),
}


def read_true_amplitudes(dataset: Path, clips: list[FoundClip]) -> list[dict[str, float]]:
    """By clip the amplitude at the apex, px, of each action unit that moves, with its side."""
    found = []
    for clip in clips:
        sample = clip.sample
        assert sample.apex is not None
        motion = load_motion(dataset / "truth" / f"sub{sample.subject}" / f"{sample.clip}.npz")
        at_apex = motion.weights[motion.frame_index(sample.apex)].tolist()
        found.append(dict(zip(motion.units, at_apex, strict=True)))
    return found


def measure_ceiling(dataset: Path) -> dict[str, Any]:
    clips = [clip for clip in discover_clips(dataset) if isinstance(clip, FoundClip)]
    amplitudes = read_true_amplitudes(dataset, clips)
    names = sorted({unit for clip in amplitudes for unit in clip})
    inputs = np.array([[clip.get(name, 0.0) for name in names] for clip in amplitudes])
    emotions = np.array([clip.sample.emotion for clip in clips])
    subjects = np.array([clip.sample.subject for clip in clips])
    scores: dict[str, Any] = {}
    for name, build in LEARNERS.items():
        predicted = np.empty_like(emotions)
        for subject in np.unique(subjects):
            test = subjects == subject
            predicted[test] = build().fit(inputs[~test], emotions[~test]).predict(inputs[test])
        figures = score_emotions(emotions.tolist(), predicted.tolist(), subjects.tolist())
        scores[name] = {"uf1": round(figures["uf1"], 3), "uar": round(figures["uar"], 3)}
    units = units_of_clips([clip.sample for clip in clips])
    coded = np.array([au_vector(clip.sample.aus, units) for clip in clips])
    moving = [{int(name.rstrip("LR")) for name, size in clip.items() if abs(size) > 0} for clip in amplitudes]
    shown = np.array([[unit in clip for unit in units] for clip in moving])
    used = np.array([bool(clip.sample.aus) for clip in clips])
    macro = score_action_units(coded[used], shown[used], units)["macro"]
    return {"clips": len(clips), **scores, "au_f1": None if macro is None else round(macro, 3), "units": list(units)}


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("dataset", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, help="file of the result")
    options = parser.parse_args()
    results = {folder.name: measure_ceiling(folder) for folder in options.dataset}
    print(json.dumps(results, indent=1))
    if options.out:
        write_result(options.out, {"benchmark": "label_ceiling", "results": results})


if __name__ == "__main__":
    main()
