from starlette.datastructures import QueryParams

from services.console.pages.listing import ROWS, select_rows

NAMES = [f"clip {number:03}" for number in range(ROWS * 2 + 1)]


def select(**query: str):
    return select_rows(NAMES, QueryParams(query), str)


def test_a_list_is_cut_into_pages() -> None:
    assert list(select().rows) == NAMES[:ROWS]
    assert list(select(page="3").rows) == NAMES[-1:]
    assert (select(page="3").last_page, select(page="3").first_row) == (3, ROWS * 2 + 1)


def test_a_page_that_does_not_exist_is_the_nearest_one() -> None:
    assert [select(page=page).page for page in ("0", "-1", "4", "x", "", "²", "9" * 5000)] == [1, 1, 3, 1, 1, 1, 1]


def test_the_search_looks_within_names_and_stays_on_the_next_page() -> None:
    found = select(search=" CLIP 1 ")
    assert (found.found, found.search) == (100, "CLIP 1")
    assert found.page_query(2) == "?search=CLIP+1&page=2"
    assert select().page_query(2) == "?page=2"
    empty = select(search="&x=<b>")
    assert (empty.found, empty.last_page, empty.page_query(1)) == (0, 1, "?search=%26x%3D%3Cb%3E&page=1")
