"""Artifacts that no stage wrote: pickles, headers that lie, arrays of other types, shapes and values."""

import io
import pickle
import random
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from shared.stage import Arrays
from shared.store import npz
from tests.hostile.damage import damage_bytes
from tests.hostile.images import encode_image

READS = {
    "ingest": ("source",),
    "interpolator": ("ingest",),
    "magnifier": ("interpolator",),
    "flow": ("magnifier",),
    "roi-au": ("interpolator", "flow"),
}


def make_artifacts(group: str, draw: random.Random, evil: Path) -> dict[str, bytes]:
    """What a group reads, by stage, one of them hostile. A pickle in some would write the file `evil`."""
    sound = {stage: dict(arrays) for stage, arrays in sound_arrays().items() if stage in READS[group]}
    data = {stage: npz.pack_arrays(arrays) for stage, arrays in sound.items()}
    chosen = draw.choice(READS[group])
    data[chosen] = draw.choice(_MAKERS)(sound[chosen], draw, evil)
    return data


@cache
def sound_arrays() -> Mapping[str, Arrays]:
    rng = np.random.default_rng(5)
    images = [encode_image("PNG")] * 3
    frames = rng.integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    marks = {"onset": np.array(0), "apex": np.array(1), "offset": np.array(3), "fps": np.array(200.0)}
    return {
        "source": {
            "data": np.frombuffer(b"".join(images), np.uint8),
            "ends": np.cumsum([len(each) for each in images]),
            "names": np.array(["1.png", "2.png", "3.png"]),
            "numbers": np.array([1, 2, 3]),
            "onset": np.array(1),
            "apex": np.array(2),
            "offset": np.array(3),
            "fps": np.array(200.0),
            "kind": np.array("frames"),
            "cropped": np.array(True),
            "notes": np.array([], np.str_),
        },
        "ingest": {"frames": frames, **marks},
        "interpolator": {
            "frames": frames,
            "au_frames": frames,
            "positions": np.arange(4.0),
            "apex": np.array(1.0),
            "fps": np.array(200.0),
        },
        "magnifier": {"frames": frames[None, :2], "factors": np.array([2.0]), "frame_numbers": np.arange(2)},
        "flow": {"flows": np.zeros((1, 1, 2, 16, 16), np.float32), "factors": np.array([2.0])},
    }


def _other_array(sound: dict[str, Any], draw: random.Random, evil: Path) -> bytes:
    """One array of another type, shape or value, or none."""
    name = draw.choice(sorted(sound))
    array = sound[name]
    numbers = array.dtype.kind in "uif"
    changed: tuple[Callable[[], Any], ...] = (
        lambda: None,
        lambda: array[..., None],
        lambda: array[None],
        lambda: np.zeros((0, *array.shape[1:]), array.dtype),
        lambda: np.zeros((), array.dtype),
        lambda: np.zeros(0, array.dtype),
        lambda: array.astype(np.str_),
        lambda: array.astype(np.float64) + np.nan if numbers else array,
        lambda: array.astype(np.float64) * np.inf if numbers else array,
        lambda: array.astype(np.float64) - 1e300 if numbers else array,
        lambda: array.astype(np.complex128) if numbers else array,
        lambda: array.astype(np.int64) - 2**62 if numbers else array,
        lambda: array.astype(np.int64) + 2**40 if numbers else array,
        lambda: array.astype(">f2") if numbers else array,
        lambda: array[::-1] if array.ndim else array,
        lambda: np.array([("x", 1)], [("a", "U1"), ("b", "i4")]),
        lambda: np.array(["2020-01-01"], "M8[D]"),
        lambda: np.array(b"\xff\0"),
    )
    value = draw.choice(changed)()
    arrays = {other: each for other, each in sound.items() if other != name}
    return npz.pack_arrays(arrays if value is None else {**arrays, name: np.asarray(value)})


class _Exploit:
    """Unpickled, it writes a file."""

    def __init__(self, evil: Path) -> None:
        self.evil = evil

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.evil, "evil")


def _pickle(sound: dict[str, Any], draw: random.Random, evil: Path) -> bytes:
    exploit = pickle.dumps(_Exploit(evil))
    if draw.random() < 0.3:
        return exploit
    name = draw.choice(sorted(sound))
    header = {"descr": "|O", "fortran_order": False, "shape": (1,)}
    return _pack_members(sound, name, _npy_header(header) + exploit)


def _lying_header(sound: dict[str, Any], draw: random.Random, evil: Path) -> bytes:
    name = draw.choice(sorted(sound))
    shape = draw.choice(
        ((2**40,), (2**63,), (-1,), (10**6, 10**6), (2**31, 2**31, 2**31), (0, 2**62), (1,) * 65, ("x",))
    )
    descr = draw.choice(("|u1", "<f8", "<U1000000000", "|V99999999", "zzz", [("a", "O")], "<f8,<f8", 7))
    header = {"descr": descr, "fortran_order": draw.choice((False, True, "x")), "shape": shape}
    if draw.random() < 0.2:
        header["more"] = 1
    return _pack_members(sound, name, _npy_header(header, draw.choice((1, 1, 1, 2, 3, 9))) + bytes(100))


def _odd_header(sound: dict[str, Any], draw: random.Random, evil: Path) -> bytes:
    text = draw.choice(("", "{" * 3000, "__import__('os')", "{'descr': " + "(" * 500, "\0" * 60_000, "1" * 9000, "[]"))
    return _pack_members(sound, draw.choice(sorted(sound)), _npy_text(text, 1))


def _npy_header(header: dict[str, Any], version: int = 1) -> bytes:
    return _npy_text(repr(header), version)


def _npy_text(text: str, version: int) -> bytes:
    data = text.encode("latin-1") + b"\n"
    size = len(data).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + data


def _pack_members(sound: Arrays, name: str, member: bytes) -> bytes:
    """The .npz with one member replaced."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(npz.pack_arrays(sound))) as source,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for info in source.infolist():
            target.writestr(info.filename, member if info.filename == f"{name}.npy" else source.read(info))
    return buffer.getvalue()


def _bomb(sound: dict[str, Any], draw: random.Random, evil: Path) -> bytes:
    """An array of zeros that is compressed: as large as its header says."""
    size = draw.choice((64 << 20, 256 << 20))
    header = _npy_header({"descr": "|u1", "fortran_order": False, "shape": (size,)})
    return _pack_members(sound, draw.choice(sorted(sound)), header + bytes(size))


def _foreign(sound: dict[str, Any], draw: random.Random, evil: Path) -> bytes:
    single = io.BytesIO()
    np.save(single, np.arange(9))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(draw.choice(("x", "../../outside/evil.npy", "frames.npy/")), b"no array")
    return draw.choice((b"", b"PK\5\6" + bytes(18), single.getvalue(), buffer.getvalue(), draw.randbytes(999)))


def _damaged(sound: dict[str, Any], draw: random.Random, evil: Path) -> bytes:
    return damage_bytes(npz.pack_arrays(sound), draw)


_MAKERS: tuple[Callable[[dict[str, Any], random.Random, Path], bytes], ...] = (
    *(_other_array, _other_array, _other_array, _pickle, _lying_header, _lying_header, _odd_header, _bomb),
    *(_foreign, _damaged, _damaged),
)
