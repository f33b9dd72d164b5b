"""Artifact codec: named arrays <-> the bytes of an .npz that `numpy.load(allow_pickle=False)` opens.

Equal arrays give equal bytes under every version of Python: names are sorted, there is no clock and no compression. So
artifacts can be compared by digest.
"""

import io
import zipfile
from typing import Any

import numpy as np

from shared.errors import BadData
from shared.stage import Arrays

_MOST_HEADER_BYTES = 1 << 16  # more than the header of any .npy


def pack_arrays(arrays: Arrays) -> bytes:
    """The bytes of an .npz with arrays of any shape [...] and dtype. Raises BadData for an array of Python objects."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = np.asanyarray(arrays[name])
            if array.dtype.hasobject:
                raise BadData(f"Array {name!r} holds Python objects; expected numbers or fixed-width text.")
            info = zipfile.ZipInfo(f"{name}.npy")
            # With a known size, ZIP64 is used only above 2 GB. Python before 3.11.4 writes that format differently.
            info.file_size = array.nbytes + _MOST_HEADER_BYTES
            with archive.open(info, "w") as member:
                np.lib.format.write_array(member, np.asarray(array, order="C"), allow_pickle=False)
    return buffer.getvalue()


def unpack_arrays(data: bytes, label: str = "artifact") -> dict[str, np.ndarray[Any, Any]]:
    """The arrays by name, any shape [...] and dtype. Raises BadData, with `label`, if the bytes are no plain .npz."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise BadData(f"{label} is no .npz of plain arrays ({error}); compute it again.") from None


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
