"""Long lists in pages of rows, searched by name."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic
from urllib.parse import urlencode

from services.console.cursor_pages import LONGEST_CURSOR, Position, Row, RowPage, cut_page

ROWS = 100  # of a page
LONGEST_SEARCH = 200  # characters


@dataclass(frozen=True)
class Listing(Generic[Row]):
    """One page of the rows that were found."""

    page: RowPage[Row]
    search: str
    kept: Sequence[tuple[str, str]] = ()  # what else the query of each page has

    @property
    def rows(self) -> Sequence[Row]:
        return self.page.rows

    @property
    def found(self) -> int:
        return self.page.found

    @property
    def previous_query(self) -> str:
        """The query of the page before, "" for the first one."""
        return self._compose_query("before", self.page.before)

    @property
    def next_query(self) -> str:
        """The query of the page after, "" for the last one."""
        return self._compose_query("after", self.page.after)

    def _compose_query(self, side: str, cursor: str) -> str:
        searched = [("search", self.search)] if self.search else []
        return "?" + urlencode([*self.kept, *searched, (side, cursor)]) if cursor else ""


def select_rows(
    every: Iterable[Row],
    query: Mapping[str, str],
    name: Callable[[Row], str],
    locate: Callable[[Row], Position],
    descending: bool = False,
    kept: Sequence[tuple[str, str]] = (),
) -> Listing[Row]:
    """The rows that a query asks for: `search` is a part of the name, `after` or `before` a cursor.

    `kept` is what else the addresses of its pages say. Raises HTTPException 422 for a wrong cursor.
    """
    search = query.get("search", "")[:LONGEST_SEARCH].strip()
    found = [each for each in every if search.casefold() in name(each).casefold()]
    after, before = (query.get(side, "")[:LONGEST_CURSOR] for side in ("after", "before"))
    return Listing(cut_page(found, locate, ROWS, after, before, descending), search, kept)
