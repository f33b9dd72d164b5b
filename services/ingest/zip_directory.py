"""The list of contents of a .zip, measured before Python reads all of it into memory."""

import zipfile
from typing import IO

from shared.errors import BadData

DIRECTORY_BYTES = 128 << 20  # over a million files. Python needs seven times as much memory
# What Python itself asks for the place of the list; it is not in the documented interface.
_read_end_record = zipfile._EndRecData  # type: ignore[attr-defined]
_SIZE_FIELD = zipfile._ECD_SIZE  # type: ignore[attr-defined]


def check_zip_directory(file: IO[bytes], name: str, most: int = DIRECTORY_BYTES) -> None:
    """Raise BadData, with `name` as the archive's, if its list of contents exceeds `most` bytes."""
    record = _read_end_record(file)
    size = int(record[_SIZE_FIELD]) if record else 0
    if size > most:
        raise BadData(
            f"{name}: expected a list of contents of at most {most >> 20} MiB in a .zip, got {size >> 20} MiB; pack "
            "fewer files into one archive, or upload the unpacked folder."
        )
