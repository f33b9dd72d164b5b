"""Draw, train, calibrate, and write the shipped model. `benchmarks/shipped_model.py` then measures it.

    OMP_NUM_THREADS=1 python -m merstream.shipped_model    # about 10 CPU minutes

Nothing but drawn faces trains it. Equal arguments give equal bytes on one machine.
"""

from pathlib import Path
from typing import Annotated

import typer

from merstream.shipped_model.map_drawing import draw_maps_of_faces
from services.trainer.recogniser.shipped import SHIPPED_FILE, save_shipped
from services.trainer.recogniser.training import train_recogniser

TRAINING_SEED, CALIBRATION_SEED = 11, 12  # benchmarks and tests use others


def write_shipped_model(
    out: Annotated[Path, typer.Option(help="File of the weights.")] = SHIPPED_FILE,
    faces: Annotated[int, typer.Option(min=1, help="Drawn faces to train on.")] = 400,
    maps: Annotated[int, typer.Option(min=1, help="Maps of each face.")] = 60,
    networks: Annotated[int, typer.Option(min=1, help="Networks of each geometry.")] = 3,
) -> None:
    """Train the shipped model on drawn faces, and calibrate it on a tenth as many others."""
    calibration_faces = max(1, faces // 10)
    drawn = draw_maps_of_faces(TRAINING_SEED, range(1, faces + 1), maps)
    held_out = draw_maps_of_faces(CALIBRATION_SEED, range(1, calibration_faces + 1), maps)
    trained_on = f"{len(drawn.fine)} maps of {faces} drawn faces, no recording of anybody"
    model = train_recogniser(drawn, held_out, trained_on, networks)
    seeds = {"training": TRAINING_SEED, "calibration": CALIBRATION_SEED}
    save_shipped(model, out, {"seeds": seeds, "faces": faces, "maps_per_face": maps})
    typer.echo(f"{out}: {out.stat().st_size} bytes, {model.calibrations}")


if __name__ == "__main__":
    typer.run(write_shipped_model)
