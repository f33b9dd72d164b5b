"""The locked files: hashed, without an index host, and a CPU service carries no torch."""

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "requirements"
FILES = sorted(FOLDER.glob("*.txt"))


def pinned(file: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", file.read_text(), re.MULTILINE))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_requirement_is_hashed_and_no_host_is_named(file: Path) -> None:
    text = file.read_text()
    assert len(re.findall(r"^\S+==.*\\\n\s+--hash=sha256:", text, re.MULTILINE)) == len(
        re.findall(r"^\S+==", text, re.M)
    )
    assert "://" not in text


@pytest.mark.parametrize("extra", ["ingest", "magnifier", "flow", "roi_au", "console"])
def test_a_service_without_networks_installs_without_torch(extra: str) -> None:
    names = pinned(FOLDER / f"{extra}.txt")
    assert "numpy" in names
    assert not {"torch", "triton"} & set(names)
    assert not [name for name in names if name.startswith("nvidia")]


def test_all_services_have_the_same_versions() -> None:
    everything = pinned(FOLDER / "dev.txt")
    for extra in [
        file.stem
        for file in FILES
        if file.stem not in ("dev", "uv", "cyclonedx-bom") and not file.stem.startswith("dlib_")
    ]:
        assert pinned(FOLDER / f"{extra}.txt").items() <= everything.items()
