"""`mer evaluate`: score a trained model on features with known labels, without any training."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from merstream.cli.console import print_message, progress_bars, stdout_console
from merstream.cli.recognition_view import print_evaluation

DEFAULT_OUT = Path("out/evaluation.json")


def evaluate_command(
    features: Annotated[
        Path,
        typer.Option(help="The clips to recognise: a `samples.csv`, see docs/reference/samples-csv.md."),
    ],
    model: Annotated[
        str, typer.Option(help="`shipped`, or the folder of a run that `mer run` or `mer train` made.")
    ] = "shipped",
    geometry: Annotated[
        Literal["auto", "aligned", "published"],
        typer.Option(
            help="Where faces lie in the maps. `aligned`: as the stage roi-au places them. `published`: as in the maps "
            "published for MEGC2019. `auto`: stretched maps are `published`, maps in px `aligned`."
        ),
    ] = "auto",
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON file for the figures and every clip.")] = DEFAULT_OUT,
) -> None:
    """Score a trained model on clips with known labels, in the three classes of MEGC2019. Nothing is trained.

    Labels are classed as MEGC2019 does: negative, positive, surprise. Clips labelled `others` are left out. Other
    labels are refused. A person who trained a fold of the run is recognised by the other folds.

    Example: `mer evaluate --model shipped --features samples.csv`.
    """
    from services.trainer.recogniser.evaluation import evaluate_recogniser
    from services.trainer.recogniser.loading import load_recogniser
    from shared.storage_faults import require_writable_folder, stop_on_storage_fault

    require_writable_folder(out.parent)
    with progress_bars() as progress:
        task = progress.add_task("evaluate", total=None, remark="clips")
        found = evaluate_recogniser(
            load_recogniser(model),
            features,
            geometry,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    with stop_on_storage_fault(out.parent):
        out.write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    print_evaluation(found)
    for sentence, clips in found.warnings.items():
        print_message(f"{sentence} ({clips} clips)", "mind")
    stdout_console.print(f"Every clip: {out}", soft_wrap=True)
