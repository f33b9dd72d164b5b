"""Archives in memory, from files by path."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Mapping

Files = Mapping[str, bytes]


def zipped(files: Files) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    return buffer.getvalue()


def tarred(files: Files) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, data in files.items():
            archive.addfile(named(path, size=len(data)), io.BytesIO(data))
    return buffer.getvalue()


def named(path: str, **about: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    for name, value in about.items():
        setattr(info, name, value)
    return info


PACKERS: dict[str, Callable[[Files], bytes]] = {
    ".zip": zipped,
    ".ZIP": zipped,
    ".tar": tarred,
    ".tar.gz": lambda files: gzip.compress(tarred(files)),
    ".tgz": lambda files: gzip.compress(tarred(files)),
    ".tar.xz": lambda files: lzma.compress(tarred(files)),
    ".tar.bz2": lambda files: bz2.compress(tarred(files)),
}
