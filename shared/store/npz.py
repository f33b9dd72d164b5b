"""Artifact codec: named arrays <-> the bytes of an .npz that `numpy.load(allow_pickle=False)` opens.

Equal arrays give equal bytes under every version of Python: names are sorted, there is no clock and no compression. So
artifacts can be compared by digest.
"""

import io
import math
import zipfile
from collections.abc import Iterator, Mapping
from typing import IO, Any

import numpy as np

from shared.errors import BadData
from shared.stage import Arrays

_MOST_HEADER_BYTES = 1 << 16  # more than the header of any .npy
_PIECE_BYTES = 1 << 20  # that are read at once
_MOST_RATIO = 1100  # of unpacked to packed bytes: deflate reaches 1032
_HEADER_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def pack_arrays(arrays: Arrays) -> bytes:
    """The bytes of an .npz with arrays of any shape [...] and dtype. Raises BadData for an array of Python objects."""
    buffer = io.BytesIO()
    write_arrays(buffer, arrays)
    return buffer.getvalue()


def write_arrays(stream: IO[bytes], arrays: Arrays) -> None:
    """Write the bytes of `pack_arrays`. Arrays [...] are asked for one at a time: a mapping may make them then."""
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = np.asanyarray(arrays[name])
            if array.dtype.hasobject:
                raise BadData(f"Array {name!r} holds Python objects; expected numbers or fixed-width text.")
            info = zipfile.ZipInfo(f"{name}.npy")
            # With a known size, ZIP64 is used only above 2 GB. Python before 3.11.4 writes that format differently.
            info.file_size = array.nbytes + _MOST_HEADER_BYTES
            with archive.open(info, "w") as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)


def unpack_arrays(data: bytes, label: str = "artifact") -> dict[str, np.ndarray[Any, Any]]:
    """The arrays by name, any shape [...] and dtype. Raises BadData, with `label`, if the bytes are no plain .npz."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {
                info.filename.removesuffix(".npy"): _read_array(archive, info, len(data)) for info in archive.infolist()
            }
    except MemoryError:
        raise
    except Exception as error:  # damage makes zipfile and numpy raise any error
        raise BadData(f"{label} is no .npz of plain arrays ({error}); compute it again.") from None


class ArrayFile(Mapping[str, np.ndarray[Any, Any]]):
    """The arrays of an .npz in a file. `shapes` and rows are read from it, so that no array needs be whole in memory.

    As a mapping it reads an array whenever it is asked for, and keeps none.
    """

    def __init__(self, file: IO[bytes], label: str = "artifact") -> None:
        """Raises BadData, with `label`, if the file is no .npz of plain arrays in C order."""
        self.label = label
        try:
            self._archive = zipfile.ZipFile(file)
            size = file.seek(0, io.SEEK_END)
            self._headers = {
                info.filename.removesuffix(".npy"): (info, *self._read_header(info, size))
                for info in self._archive.infolist()
            }
        except Exception as error:
            raise BadData(f"{label} is no .npz of plain arrays ({error}); compute it again.") from None

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        return self.read_rows(name)

    def __contains__(self, name: object) -> bool:
        return name in self._headers

    def __iter__(self) -> Iterator[str]:
        return iter(self._headers)

    def __len__(self) -> int:
        return len(self._headers)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by name."""
        return {name: shape for name, (_, shape, _, _) in self._headers.items()}

    def count_row_bytes(self, name: str) -> int:
        """The bytes of one row along the first axis of an array [N, ...]. Raises BadData as `read_rows`."""
        _, shape, dtype, _ = self._find_header(name)
        return math.prod(shape[1:]) * dtype.itemsize

    def read_rows(self, name: str, start: int = 0, stop: int | None = None) -> np.ndarray[Any, Any]:
        """The rows [start:stop] along the first axis of an array [N, ...]; an array without axes [] whole.

        Raises BadData for a name that is not there, and for damaged bytes.
        """
        info, shape, dtype, offset = self._find_header(name)
        length = shape[0] if shape else 1
        start, stop, _ = slice(start, stop).indices(length)
        row_bytes = math.prod(shape[1:]) * dtype.itemsize
        try:
            with self._archive.open(info) as member:
                member.seek(offset + start * row_bytes)
                rows = _read_values(member, max(0, stop - start) * row_bytes, dtype)
            return rows.reshape(max(0, stop - start), *shape[1:]) if shape else rows.reshape(())
        except (ValueError, OSError, zipfile.BadZipFile) as error:
            raise BadData(f"{self.label}: array {name!r} is damaged ({error}); compute it again.") from None

    def _find_header(self, name: str) -> tuple[zipfile.ZipInfo, tuple[int, ...], np.dtype[Any], int]:
        if name not in self._headers:
            raise BadData(f"{self.label}: expected an array {name!r}, got {', '.join(sorted(self._headers))}.")
        return self._headers[name]

    def _read_header(self, info: zipfile.ZipInfo, packed: int) -> tuple[tuple[int, ...], np.dtype[Any], int]:
        """Shape, type and the place of the first value."""
        with self._archive.open(info) as member:
            shape, column_order, dtype = _read_member_header(member, info, packed)
            if dtype.hasobject or (column_order and len(shape) > 1):
                raise ValueError(f"{info.filename!r} has {dtype} in an order that is not C's")
            return shape, dtype, member.tell()


def _read_values(member: IO[bytes], size: int, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The next `size` bytes as values [N], in memory once. Raises ValueError if there are fewer."""
    data = bytearray(size)
    view = memoryview(data)
    while view:
        piece = member.read(min(len(view), _PIECE_BYTES))
        if not piece:
            raise ValueError(f"{len(view)} of {size} bytes are missing")
        view[: len(piece)] = piece
        view = view[len(piece) :]
    return np.frombuffer(data, dtype)


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo, packed: int) -> np.ndarray[Any, Any]:
    """One array [...]. numpy takes memory for what a header declares. `packed`: bytes of the archive.

    Raises ValueError for a header that lies, and whatever zipfile and numpy raise.
    """
    with archive.open(info) as member:
        _read_member_header(member, info, packed)
    with archive.open(info) as member:
        array: np.ndarray[Any, Any] = np.lib.format.read_array(member, allow_pickle=False)
        return array


def _read_member_header(
    member: IO[bytes], info: zipfile.ZipInfo, packed: int
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type. Raises ValueError for a header that lies."""
    version = np.lib.format.read_magic(member)
    if version not in _HEADER_READERS:
        raise ValueError(f"{info.filename!r} has version {version} of the format")
    shape, column_order, dtype = _HEADER_READERS[version](member)
    declared = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or declared > info.file_size or info.file_size > _MOST_RATIO * packed:
        raise ValueError(f"{info.filename!r} declares {shape} of {dtype}, more than the file has")
    return shape, column_order, dtype


def require_finite(arrays: Arrays, label: str) -> None:
    """Raise BadData if a float array of any shape [...] has a NaN or an infinity.

    The message names the array, the count and the first index.
    """
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            wrong = np.argwhere(~np.isfinite(array))
            first = tuple(int(i) for i in wrong[0])
            raise BadData(
                f"{label}: array {name!r} {array.shape} has {len(wrong)} values that are NaN or infinite, the first at "
                f"{first}; expected finite numbers. Compute the artifact again from sound input."
            )
