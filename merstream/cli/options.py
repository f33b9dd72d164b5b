"""The options that several `mer` commands share, each said once."""

import os
from pathlib import Path
from typing import Annotated

import typer

from services.ingest.catalogue.entry import CorrectionSwitch, LabelKind

OutFolder = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the run: artifacts, logs, report. Kept between starts.")
]
OutFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--out", "-o", help="Folder of a run, default out/run. Several are pooled; the first gets the report."
    ),
]
WorkerCount = Annotated[int, typer.Option(min=1, show_default="one per core", help="Worker processes.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random: weights, shuffling, bootstrap.")]
ModelName = Annotated[
    str | None,
    typer.Option(
        help="`fmer-lite`, `fmer` (the paper's), `ststnet`, `off-apexnet`, `sssnet`, `rcn-a`, `htnet` (on maps), "
        "`linear`, `majority`. Default: fmer with a GPU, else fmer-lite."
    ),
]
EpochCount = Annotated[int | None, typer.Option(min=1, help="Epochs per fold; the default is the model's.")]
ProfileName = Annotated[
    str, typer.Option(help="`corrected` repairs the published method's defects, `paper` reproduces them.")
]
StageOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="One science setting of a stage, e.g. `--set flow.solver=exact`. Repeatable."),
]
SheetCorrections = Annotated[
    CorrectionSwitch,
    typer.Option(help="Known errors of sheets to correct: `all` takes inferred and estimated ones too."),
]
LabelChoice = Annotated[LabelKind, typer.Option(help="The sheet's emotions, or its objective classes.")]
FrameRate = Annotated[float | None, typer.Option(min=0.001, help="Frames per second, where the catalogue's are wrong.")]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        help="Who is tested apart from whom: `loso` (default), `k-fold`, `split`, or a published protocol by name: "
        "`megc2019`, `casme2-5`, ... (docs/reference/protocols.md)."
    ),
]
SeedCount = Annotated[
    int | None, typer.Option(min=1, help="Train each fold so often, with seeds from --seed on; mean and deviation.")
]
FoldCount = Annotated[int | None, typer.Option(min=2, help="Of `k-fold`; default 5.")]
TestSubjects = Annotated[
    str | None, typer.Option(help="Of `split`: `s1,s2`, also `dataset/s1`, or a file with a name on each line.")
]
KnownDatasets = Annotated[
    list[str] | None, typer.Option(help="Which known dataset a name means, e.g. `lab-copy=casme2`. Repeatable.")
]
AllowOtherCounts = Annotated[
    bool | None,
    typer.Option(
        "--allow-other-counts", help="Go on where a published protocol's counts are not met; the report tells."
    ),
]
ShowFaces = Annotated[
    bool,
    typer.Option("--faces", help="Show frames of misclassified clips in the report: personal data. Off by default."),
]
CORE_COUNT = os.cpu_count() or 1
