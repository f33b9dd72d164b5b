"""The options that several `mer` commands share, each described once."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from shared.inbox.reading_options import CorrectionSwitch, LabelKind, PreferredFrames

ProfileChoice = Literal["corrected", "paper"]
CORE_COUNT = os.cpu_count() or 1

OutFolder = Annotated[
    Path, typer.Option("--out", "-o", help="Folder of the run: artifacts, logs, report. A second start reuses it.")
]
OutFolders = Annotated[
    list[Path] | None,
    typer.Option(
        "--out",
        "-o",
        show_default="out/run",
        help="Folder of a run. Several are pooled, and the first gets the report.",
    ),
]
RunOrStack = Annotated[
    Path | None,
    typer.Option("--out", "-o", show_default="the stack that MER_* names", help="Folder of an embedded run."),
]
WorkerCount = Annotated[int, typer.Option(min=1, show_default="one per core", help="Worker processes.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random: weights, shuffling, bootstrap.")]
ModelName = Annotated[
    str | None,
    typer.Option(
        help="`fmer-lite`, `fmer` (the paper's), `ststnet`, `off-apexnet`, `sssnet`, `rcn-a`, `htnet`, "
        "`pooled-linear`, `linear-maps` (on maps), `ststnet-flows` (on maps of all flows), `linear`, `majority`. "
        "Default: `fmer` with a GPU, else `fmer-lite`."
    ),
]
EpochCount = Annotated[int | None, typer.Option(min=1, show_default="the model's", help="Epochs per fold.")]
BatchSize = Annotated[int | None, typer.Option(min=1, show_default="the model's", help="Clips per step.")]
LearningRate = Annotated[float | None, typer.Option(min=0, show_default="the model's", help="Step size of Adam.")]
ClassNames = Annotated[str | None, typer.Option(help="Emotions to keep, by name: `disgust,happiness,...`.")]
TrainingSettings = Annotated[
    list[str] | None, typer.Option("--set", help="Any other training setting, for example `keep=best-inner`.")
]
StackUrl = Annotated[str, typer.Option("--url", help="Address of the stack's HTTP API.")]
RunIds = Annotated[
    list[str],
    typer.Argument(metavar="RUN...", help="Id of a run: `mer stack train` prints it, and the console shows it."),
]
PipelineDigest = Annotated[str | None, typer.Option(help="Digest of a pipeline, if there are several.")]
ProfileName = Annotated[
    ProfileChoice,
    typer.Option(help="`corrected` repairs the defects of the published method. `paper` reproduces them."),
]
StageOverrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="One science setting of a stage, for example `--set flow.solver=exact`."),
]
FramesChoice = Annotated[
    PreferredFrames, typer.Option(help="Which frames to use if a dataset has both crops and raw frames.")
]
SheetCorrections = Annotated[
    CorrectionSwitch,
    typer.Option(help="Known errors of sheets to correct. `all` includes inferred and estimated ones."),
]
LabelChoice = Annotated[
    LabelKind, typer.Option(help="Which labels to use: the sheet's emotions or its objective classes.")
]
FrameRate = Annotated[
    float | None, typer.Option(min=0.001, help="Frames per second, if the catalogue's value is wrong.")
]
ProtocolName = Annotated[
    str | None,
    typer.Option(
        help="Which clips are tested together: `loso` (default), `k-fold`, `split`, or a published protocol such as "
        "`megc2019` or `casme2-5` (docs/reference/protocols.md)."
    ),
]
SeedCount = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Train each fold this many times, with seeds from --seed upwards. The report gives mean and standard "
        "deviation.",
    ),
]
FoldCount = Annotated[int | None, typer.Option(min=2, show_default="5", help="Number of folds of `k-fold`.")]
TestSubjects = Annotated[
    str | None,
    typer.Option(help="Subjects that `split` tests: `s1,s2`, `dataset/s1`, or a file with one name per line."),
]
KnownDatasets = Annotated[
    list[str] | None, typer.Option(help="Which known dataset a name means, for example `lab-copy=casme2`.")
]
AllowOtherCounts = Annotated[
    bool | None,
    typer.Option(
        "--allow-other-counts",
        help="Continue if the counts of a published protocol are not met. The report states it.",
    ),
]
DistinctPeople = Annotated[
    bool | None,
    typer.Option(
        "--distinct",
        help="Names of people that are spelled alike are different people (docs/reference/inputs.md).",
    ),
]
ShowFaces = Annotated[
    bool,
    typer.Option("--faces", help="Show frames of misclassified clips in the report. They are personal data."),
]
