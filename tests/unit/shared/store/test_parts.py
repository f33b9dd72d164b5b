"""How large the parts of an object are."""

from datetime import UTC, datetime

import pytest

from shared.errors import BadData
from shared.store.parts import (
    LARGEST_OBJECT_BYTES,
    MOST_PARTS,
    SMALLEST_PART_BYTES,
    PartedPut,
    PartInfo,
    check_parts,
    choose_part_bytes,
)


@pytest.mark.parametrize("size", [1, 5 << 20, 100 << 30, (100 << 30) + 1, LARGEST_OBJECT_BYTES])
def test_parts_are_as_small_as_a_store_allows(size: int) -> None:
    part = choose_part_bytes(size)
    assert -(-size // part) <= MOST_PARTS
    assert part == SMALLEST_PART_BYTES or size > (part - (1 << 20)) * MOST_PARTS


@pytest.mark.parametrize("parts", [[], [(2, 9)], [(1, 9), (3, 4)], [(1, 8), (2, 4)], [(1, 9), (2, 9), (2, 4)]])
def test_a_gap_or_a_short_part_is_no_whole(parts: list[tuple[int, int]]) -> None:
    found = [PartInfo(number, size, "", datetime.now(UTC)) for number, size in parts]
    with pytest.raises(BadData, match="without a gap"):
        check_parts(PartedPut("film.mp4", "1", 9), found)


def test_what_no_store_takes_is_refused() -> None:
    with pytest.raises(BadData, match="5 TiB"):
        choose_part_bytes(LARGEST_OBJECT_BYTES + 1)
