"""Long lists in pages of rows, searched by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Generic, TypeVar
from urllib.parse import urlencode

Row = TypeVar("Row")
ROWS = 100  # of a page
LONGEST_SEARCH = 200  # characters


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of the rows that were found. Pages are counted from 1."""

    rows: Sequence[Row]
    found: int
    page: int
    search: str
    kept: Sequence[tuple[str, str]] = ()  # what else the query of each page has

    @property
    def last_page(self) -> int:
        return max(1, ceil(self.found / ROWS))

    @property
    def first_row(self) -> int:
        """The number of the first row, from 1."""
        return ROWS * (self.page - 1) + 1

    def page_query(self, page: int) -> str:
        """The query of another page of the same rows."""
        searched = [("search", self.search)] if self.search else []
        return "?" + urlencode([*self.kept, *searched, ("page", page)])


def select_rows(
    every: Iterable[Row], query: Mapping[str, str], name: Callable[[Row], str], kept: Sequence[tuple[str, str]] = ()
) -> Listing[Row]:
    """The rows that a query asks for: `search` is a part of the name, `page` a number. A wrong page is the nearest.

    `kept` is what else the addresses of its pages say.
    """
    search = query.get("search", "")[:LONGEST_SEARCH].strip()
    found = [each for each in every if search.casefold() in name(each).casefold()]
    last = max(1, ceil(len(found) / ROWS))
    page = min(max(1, _read_number(query.get("page", "1"))), last)
    return Listing(found[ROWS * (page - 1) : ROWS * page], len(found), page, search, kept)


def _read_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 1
