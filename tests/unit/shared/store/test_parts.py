"""How large the parts of an object are."""

import pytest

from shared.errors import BadData
from shared.store.parts import LARGEST_OBJECT_BYTES, MOST_PARTS, SMALLEST_PART_BYTES, choose_part_bytes


@pytest.mark.parametrize("size", [1, 5 << 20, 100 << 30, (100 << 30) + 1, LARGEST_OBJECT_BYTES])
def test_parts_are_as_small_as_a_store_allows(size: int) -> None:
    part = choose_part_bytes(size)
    assert -(-size // part) <= MOST_PARTS
    assert part == SMALLEST_PART_BYTES or size > (part - (1 << 20)) * MOST_PARTS


def test_what_no_store_takes_is_refused() -> None:
    with pytest.raises(BadData, match="5 TiB"):
        choose_part_bytes(LARGEST_OBJECT_BYTES + 1)
