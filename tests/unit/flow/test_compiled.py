"""Compiled kernels give the bytes of interpreted ones, from every kind of cache."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from services.flow import compiled

# Small, as one of the two sides is interpreted; long enough (in reds of a row) for vectors of any CPU.
FLOW = """
import hashlib, numpy
from services.flow.black_anandan import estimate_flow
from shared.stage_settings.flow import FLOW_PROFILES

y, x = numpy.mgrid[:11, :40]
def image(dx): return 128 + 60 * numpy.sin(0.7 * (x - dx) + 0.2 * y) * numpy.cos(0.45 * y - 0.1 * (x - dx))
for profile in FLOW_PROFILES.values():
    profile = profile.model_copy(update={"warps": 1})
    print(hashlib.sha256(estimate_flow(image(0.0)[None], image(0.4)[None], profile).tobytes()).hexdigest())
"""
SMALL = """
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent))
import small
print(small.twice(21), sum(small.twice.stats.cache_hits.values()), small.twice._cache.cache_path)
"""
# Root can write where modes forbid it, so this code imitates the refusal of a read-only file system.
READ_ONLY = """
import os, tempfile
def refusing(*, dir, real=tempfile.TemporaryFile):
    if str(dir).startswith(os.environ["NUMBA_CACHE_DIR"]):
        raise OSError(30, "Read-only file system", str(dir))
    return real(dir=dir)
tempfile.TemporaryFile = refusing
"""
KERNEL = """
from services.flow.compiled import compiled_kernel

@compiled_kernel
def twice(x): return 2 * x
"""


def python(code: str, *arguments: str, **environment: str) -> list[str]:
    """The words that a process of its own prints."""
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "NUMBA_NUM_THREADS": "1", **environment},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def test_compiled_kernels_round_as_interpreted_ones():
    """Sums have the order and the rounding of the source text, so no copy of a kernel can differ from another."""
    assert python(FLOW) == python(FLOW, NUMBA_DISABLE_JIT="1")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "small.py"
    path.write_text(KERNEL)
    return path


def test_a_second_process_loads(source, tmp_path):
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    first, second = (python(SMALL, str(source), **kept) for _ in range(2))
    assert first[:2] == ["42", "0"]
    assert second == ["42", "1", first[2]]


def test_without_a_cache_folder_kernels_lie_beside_their_source(source, tmp_path):
    place = python(SMALL, str(source), NUMBA_CACHE_DIR="")[2]
    assert Path(place).is_relative_to(tmp_path / "__pycache__")


def test_another_version_of_a_file_has_another_folder(source, tmp_path):
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    before = python(SMALL, str(source), **kept)[2]
    source.write_text(KERNEL.replace("2 *", "3 *"))
    changed = python(SMALL, str(source), **kept)
    assert changed[:2] == ["63", "0"]
    assert changed[2] != before


def test_a_cache_that_can_only_be_read_is_copied_and_used(source, tmp_path):
    cache, scratch = tmp_path / "cache", tmp_path / "scratch"
    scratch.mkdir()
    python(SMALL, str(source), NUMBA_CACHE_DIR=str(cache))
    files = sorted(path for path in cache.rglob("*") if path.is_file())
    value, hits, place = python(READ_ONLY + SMALL, str(source), NUMBA_CACHE_DIR=str(cache), TMPDIR=str(scratch))
    assert (value, hits) == ("42", "1")
    assert Path(place).is_relative_to(scratch)
    assert not any(scratch.iterdir()), "the copy is deleted with its process"
    assert sorted(path for path in cache.rglob("*") if path.is_file()) == files


def test_neither_readable_nor_writable_means_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = compiled.copy_cache_folder(tmp_path / "nowhere")
    assert own.parent == tmp_path
    assert not list(own.iterdir())
    assert own.stat().st_mode & 0o077 == 0


def test_a_file_in_the_way_is_not_writable(tmp_path):
    (tmp_path / "file").write_text("")
    assert not compiled.is_writable_folder(tmp_path / "file" / "inner")
    assert compiled.is_writable_folder(tmp_path / "new" / "inner")
