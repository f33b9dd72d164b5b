"""Artifact codec: named arrays <-> the bytes of an .npz that `numpy.load(allow_pickle=False)` opens.

Equal arrays give equal bytes (names sorted, no clock, no compression), whatever Python writes them, so artifacts can be
compared by digest.
"""

import io
import zipfile
from typing import Any

import numpy as np

from shared.errors import BadData
from shared.stage import Arrays

_MOST_HEADER_BYTES = 1 << 16  # bytes, more than the header of any .npy


def pack_arrays(arrays: Arrays) -> bytes:
    """Raises BadData for an array that only pickle could hold."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = np.asanyarray(arrays[name])
            if array.dtype.hasobject:
                raise BadData(f"Array {name!r} holds Python objects; expected numbers or fixed-width text.")
            info = zipfile.ZipInfo(f"{name}.npy")
            # Told the size, it uses ZIP64 above 2 GB only: Pythons before 3.11.4 write that format with other bytes.
            info.file_size = array.nbytes + _MOST_HEADER_BYTES
            with archive.open(info, "w") as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def unpack_arrays(data: bytes, label: str = "artifact") -> dict[str, np.ndarray[Any, Any]]:
    """The arrays by name. Raises BadData, naming `what`, for bytes that are no plain .npz."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise BadData(f"{label} is no .npz of plain arrays ({error}); compute it again.") from None


def require_finite(arrays: Arrays, label: str) -> None:
    """Raises BadData that names the array, the count and the first place of a NaN or an infinity."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            wrong = np.argwhere(~np.isfinite(array))
            first = tuple(int(i) for i in wrong[0])
            raise BadData(
                f"{label}: array {name!r} {array.shape} has {len(wrong)} values that are NaN or infinite, the first at "
                f"{first}; expected finite numbers. Compute the artifact again from sound input."
            )
