import base64

import pytest
from fastapi import HTTPException
from starlette.datastructures import QueryParams

from services.console.pages.listing import ROWS, select_rows

NAMES = [f"clip {number:03}" for number in range(ROWS * 2 + 1)]


def select(query: str = "", names=NAMES, descending=False):
    return select_rows(names, QueryParams(query.removeprefix("?")), str, lambda name: (name,), descending)


def test_a_list_is_turned_forwards_and_back() -> None:
    first = select()
    second = select(first.next_query)
    last = select(second.next_query)
    assert [list(each.rows) for each in (first, second, last)] == [NAMES[:ROWS], NAMES[ROWS : 2 * ROWS], NAMES[-1:]]
    assert [each.page.first for each in (first, second, last)] == [0, ROWS, 2 * ROWS]
    assert (first.previous_query, last.next_query) == ("", "")
    assert list(select(last.previous_query).rows) == NAMES[ROWS : 2 * ROWS]
    assert list(select(second.previous_query).rows) == NAMES[:ROWS]


@pytest.mark.parametrize("descending", [False, True])
def test_new_rows_and_those_that_go_shift_no_page(descending: bool) -> None:
    order = sorted(NAMES, reverse=descending)
    first = select(names=NAMES, descending=descending)
    changed = [name for name in [*NAMES, "clip 000a", "clip 200a"] if name != order[ROWS - 1]]
    second = select(first.next_query, changed, descending)
    assert list(second.rows) == order[ROWS : 2 * ROWS]
    back = select(second.previous_query, changed, descending)
    assert list(back.rows)[-1] == order[ROWS - 2]
    assert len(back.rows) == ROWS


def test_a_page_before_the_first_rows_is_short_and_not_repeated() -> None:
    second = select(select().next_query)
    fewer = select(second.previous_query, NAMES[ROWS - 3 :])
    assert list(fewer.rows) == NAMES[ROWS - 3 : ROWS]


DEEP = base64.b64encode(b"[" * 2999).decode()


@pytest.mark.parametrize("cursor", ["x", "WzFd", "e30", "W10", "bnVsbA", "é", "1" * 5000, DEEP])
def test_a_cursor_of_another_list_is_refused(cursor: str) -> None:
    for side in ("after", "before"):
        with pytest.raises(HTTPException, match="Expected a `cursor` of this list") as refusal:
            select(f"{side}={cursor}")
        assert refusal.value.status_code == 422


def test_the_search_looks_within_names_and_stays_on_the_next_page() -> None:
    found = select("search=+CLIP+")
    assert (found.found, found.search) == (201, "CLIP")
    assert found.next_query.startswith("?search=CLIP&after=")
    empty = select("search=%26x%3D<b>")
    assert (empty.found, empty.next_query, empty.previous_query) == (0, "", "")
