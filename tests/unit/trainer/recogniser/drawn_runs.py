"""Tables of drawn maps, runs that were trained on them, and such a run in the store of a stack."""

from pathlib import Path

import numpy as np

from merstream.shipped_model.map_drawing import draw_maps_of_faces
from services.trainer.experiment import run_experiment
from services.trainer.recogniser.labels import FINE_CLASSES
from services.trainer.sources.sample_rows import read_samples_csv
from services.trainer.sources.samples_csv import load_plan_from_table, table_clips
from shared.records import report_prefix, run_contents_key
from shared.store import Store
from shared.training.manifest import describe_run
from shared.training.options import TrainingOptions, resolve_options

RUN = "0123456789abcdef" * 2
HEADER = "dataset,subject,clip,label,aus,path"
ANSWERS = {"happiness": "positive", "surprise": "surprise"}


def write_drawn_table(folder: Path, faces: int = 4, maps: int = 24) -> Path:
    """A table of drawn maps in px: dataset `lab`, a subject for each face, labels of the three classes."""
    drawn, rows = draw_maps_of_faces(77, range(1, faces + 1), maps), [HEADER]
    for number, (values, fine, face) in enumerate(zip(drawn.aligned, drawn.fine, drawn.faces, strict=True)):
        if 0 <= fine < len(FINE_CLASSES):
            np.savez(folder / f"{number}.npz", maps=values)
            label = ANSWERS.get(FINE_CLASSES[fine], "negative")
            rows.append(f"lab,s{face},c{number},{label},,{number}.npz")
    (folder / "samples.csv").write_text("\n".join(rows) + "\n")
    return folder / "samples.csv"


def train_run(table: Path, folder: Path, **options: object) -> TrainingOptions:
    """Train `pooled-linear` on the table; run.json and the report are in `folder`."""
    chosen = resolve_options("corrected", {"model": "pooled-linear", **options}, "cpu")
    run = describe_run("lab", "", chosen, table=table_clips(read_samples_csv(table)))
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(run.model_dump_json(by_alias=True))
    run_experiment(load_plan_from_table(table, chosen), chosen.settings, folder, baselines=())
    return chosen


def store_run(folder: Path, store: Store, run: str = RUN) -> str:
    """Put the run of `train_run` into the store of a stack under the id `run`, and return it."""
    store.put_file(run_contents_key(run), folder / "run.json")
    store.put_file(f"{report_prefix('lab', run)}report.json", folder / "report.json")
    for file in (folder / "folds").iterdir():
        store.put_file(f"folds/{file.name}", file)
    return run
