"""What `benchmarks/gpu.py` needs on a machine with a GPU and without a network, in one folder: `make gpu-bundle`.

    PYTHONPATH=. python benchmarks/gpu_bundle.py     # an hour of CPU, most of it for features; writes gpu-bundle/

- `packages/`: PACKAGES for Python 3.12 on Linux x86-64, in the versions of requirements/dev.txt, ready for PYTHONPATH.
  The machine itself has torch, NumPy, SciPy, OpenCV, Numba, scikit-learn, scikit-image, pytest and Hypothesis.
- `weights/`: RIFE, from the cache of `mer weights`.
- `features/`: those of a drawn dataset with as many subjects and clips as CASME II has, by the real pipeline
  (`gpu_features`); and the figures of a leave-one-subject-out run with them on this CPU.

The drawn clips and their run stay in out/gpu-bundle, so that a second call continues.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import cv2
import torch

from benchmarks.common import describe_machine
from benchmarks.gpu_features import load_features, save_features
from benchmarks.imbalance import read_run_plan
from merstream.synth import DIFFICULTIES, coding_sheet
from merstream.synth.dataset import DrawingOrder, write_subject
from services.trainer.folds.cross_validation import FoldPool, run_folds
from services.trainer.report.summary import pooled_figures
from shared import weights
from shared.training.options import resolve_options
from shared.training.protocol import loso_folds
from shared.training.settings import settings_from_profile

ROOT = Path(__file__).parents[1]
BUNDLE, WORK = ROOT / "gpu-bundle", ROOT / "out" / "gpu-bundle"
PYTHON, PLATFORM = "3.12", "manylinux_2_17_x86_64"
PACKAGES = (
    "annotated-types",
    "et-xmlfile",
    "openpyxl",
    "pydantic",
    "pydantic-core",
    "pydantic-settings",
    "python-dotenv",
    "typing-extensions",
    "typing-inspection",
)
LIMIT_BYTES = 60e6
# Clips of 26 subjects, as unequal as those of CASME II; 246 in all.
CLIPS_BY_SUBJECT = (9, 13, 7, 5, 19, 4, 9, 3, 13, 13, 10, 12, 8, 4, 3, 4, 34, 3, 14, 11, 2, 2, 12, 10, 7, 15)
FACTORS = (1.2, 2.0, 2.8)
DRAWING = "mer synth --difficulty hard --seed 22, with unequal numbers of clips"


def install_packages(folder: Path) -> None:
    """Install PACKAGES for the machine with the GPU, checked against their hashes."""
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    pinned = WORK / "packages.txt"
    pinned.parent.mkdir(parents=True, exist_ok=True)
    pinned.write_text("".join(find_locked_entry(locked, name) for name in PACKAGES))
    shutil.rmtree(folder, ignore_errors=True)
    target = ["--target", str(folder), "--python-version", PYTHON, "--platform", PLATFORM, "--implementation", "cp"]
    choices = ["--quiet", "--no-deps", "--no-compile", "--only-binary=:all:", "--require-hashes"]
    subprocess.run([sys.executable, "-m", "pip", "install", *choices, *target, "-r", str(pinned)], check=True)


def find_locked_entry(locked: str, package: str) -> str:
    """The lines of a package in a file of hashed requirements: `name==version` and its hashes."""
    found = re.search(rf"^{re.escape(package)}==\S+.*?(?=^\S|\Z)", locked, re.MULTILINE | re.DOTALL)
    if found is None:
        raise SystemExit(f"requirements/dev.txt has no {package}.")
    return re.sub(r"^\s*#.*\n", "", found.group(), flags=re.MULTILINE)


def copy_weights(folder: Path) -> None:
    """Copy RIFE's weights from the cache, which must have them."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(weights.weights_path(weights.RIFE), folder)


def draw_dataset(folder: Path) -> None:
    """Draw the clips of CLIPS_BY_SUBJECT in the layout of CASME II, once."""
    sheet = folder / coding_sheet.SHEET_NAME
    if sheet.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    order = DrawingOrder(folder, 0, 22, (480, 640), True, False, False, DIFFICULTIES["hard"])
    rows = []
    for subject, clips in enumerate(CLIPS_BY_SUBJECT, 1):
        rows += write_subject(replace(order, clips=clips), subject)
        print(f"drawn: subject {subject} of {len(CLIPS_BY_SUBJECT)}", flush=True)
    coding_sheet.write_sheet(sheet, rows)


def compute_features(dataset: Path, run: Path, jobs: int) -> None:
    """Run the pipeline up to the features. A run that was stopped continues."""
    choices = ["--no-train", "--retain", "features", "--set", f"magnifier.factors={json.dumps(FACTORS)}"]
    command = [sys.executable, "-m", "merstream", "run", str(dataset), "--out", str(run), "--jobs", str(jobs), *choices]
    subprocess.run(command, check=True)


def train_on_cpu(folder: Path, jobs: int) -> None:
    """Add the figures of `fmer-lite` on this CPU to the features. Their time is of one process at a time."""
    loaded = load_features(folder)
    assert loaded is not None
    features, settings = loaded[0], settings_from_profile(model="fmer-lite")
    start = time.perf_counter()
    outcomes = run_folds(features, settings, loso_folds(features.subjects), WORK / "trained", FoldPool(jobs))
    figures = pooled_figures(features, outcomes, settings.seed)
    about = {
        "clips are from": DRAWING,
        "factors": FACTORS,
        "fmer-lite on a CPU": {
            "UF1": figures.uf1,
            "UAR": figures.uar,
            "AU macro F1": figures.au_f1,
            "s, with reused folds": round(time.perf_counter() - start, 1),
            "processes": jobs,
            "machine": describe_machine("torch", "numpy"),
        },
    }
    (folder / "about.json").write_text(json.dumps(about, indent=2))


def count_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="processes of the pipeline and of the training")
    parser.add_argument("--no-training", action="store_true", help="leave out the figures of this CPU")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    install_packages(BUNDLE / "packages")
    copy_weights(BUNDLE / "weights")
    draw_dataset(WORK / "dataset")
    compute_features(WORK / "dataset", WORK / "run", options.jobs)
    features = read_run_plan(WORK / "run", resolve_options("corrected", {}, "cpu")).features
    if len(features) != sum(CLIPS_BY_SUBJECT):
        raise SystemExit(f"Expected features of {sum(CLIPS_BY_SUBJECT)} clips, got {len(features)}: see `mer status`.")
    save_features(features, BUNDLE / "features")
    if not options.no_training:
        train_on_cpu(BUNDLE / "features", options.jobs)
    size = count_bytes(BUNDLE)
    print(f"{BUNDLE}: {size / 1e6:.1f} MB")
    if size > LIMIT_BYTES:
        raise SystemExit(f"Expected at most {LIMIT_BYTES / 1e6:.0f} MB.")


if __name__ == "__main__":
    main()
