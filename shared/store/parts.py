"""Objects that arrive in parts, for uploads that last longer than one connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.errors import BadData

MOST_PARTS = 10_000  # S3's limit
SMALLEST_PART_BYTES = 8 << 20  # S3 takes 5 MiB and more
LARGEST_OBJECT_BYTES = 5 << 40  # S3's limit
_MIB = 1 << 20


@dataclass(frozen=True)
class PartedPut:
    """An object in the making. All parts have `part_bytes` but the last. `id` is the store's own."""

    key: str
    id: str
    part_bytes: int


@dataclass(frozen=True)
class PartInfo:
    """A part that is stored. Parts are counted from 1."""

    number: int
    size: int  # bytes
    etag: str
    modified: datetime


def choose_part_bytes(size: int) -> int:
    """The size of the parts of an object of `size` bytes. Raises BadData if no store takes so much."""
    if size > LARGEST_OBJECT_BYTES:
        raise BadData(f"Expected a file of {LARGEST_OBJECT_BYTES >> 40} TiB at most, got {size} bytes. Split it.")
    return max(SMALLEST_PART_BYTES, -(-size // MOST_PARTS // _MIB) * _MIB)


def check_parts(put: PartedPut, parts: Sequence[PartInfo]) -> None:
    """Raise BadData unless the sorted `parts` are without a gap and all but the last have their full size."""
    numbers, sizes = [part.number for part in parts], {part.size for part in parts[:-1]}
    if not parts or numbers != list(range(1, len(parts) + 1)) or not sizes <= {put.part_bytes}:
        raise BadData(f"{put.key}: expected parts of {put.part_bytes} bytes without a gap. Send the missing ones.")
