"""Long lists in pages with cursors. A cursor says where a row lies in the order, so new rows shift no page.

The order of a list must be strict: the position of a row ends with its name. A position has numbers and texts.
"""

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import HTTPException, Query, Request, Response

Row = TypeVar("Row")
Position = tuple[float | str, ...]
LONGEST_CURSOR = 4000  # characters. The name of a clip may have hundreds
Cursor = Annotated[str, Query(max_length=LONGEST_CURSOR, description="Of the `Link` to the next page of a list.")]


@dataclass(frozen=True)
class RowPage(Generic[Row]):
    """Some rows of a list. `first` rows of its `found` ones lie before them.

    `before` and `after` are cursors of the neighbouring pages, "" where there is none.
    """

    rows: Sequence[Row]
    found: int
    first: int
    before: str
    after: str


def cut_page(
    every: Iterable[Row],
    locate: Callable[[Row], Position],
    limit: int,
    after: str = "",
    before: str = "",
    descending: bool = False,
) -> RowPage[Row]:
    """At most `limit` rows in the order of their positions: the first ones, or those next to a cursor.

    Raises HTTPException 422 for a cursor of another list.
    """
    ordered = sorted(every, key=locate, reverse=descending)
    first = 0
    if cursor := after or before:
        place = _decode_cursor(cursor)
        try:
            reached = sum((locate(row) >= place) if descending else (locate(row) <= place) for row in ordered)
            same = sum(locate(row) == place for row in ordered) if before and not after else 0
        except TypeError:
            raise _wrong_cursor() from None
        first = reached if after else max(0, reached - same - limit)
        limit = limit if after else min(limit, reached - same)
    rows = ordered[first : first + limit]
    return RowPage(
        rows,
        len(ordered),
        first,
        before=_encode_cursor(locate(rows[0])) if rows and first else "",
        after=_encode_cursor(locate(rows[-1])) if rows and first + len(rows) < len(ordered) else "",
    )


def link_next(response: Response, request: Request, page: RowPage[Row]) -> None:
    """Name the next page in the header `Link` (RFC 8288): the same address with another query."""
    if page.after:
        kept = [(name, value) for name, value in request.query_params.multi_items() if name not in ("cursor", "offset")]
        response.headers["Link"] = f'<?{urlencode([*kept, ("cursor", page.after)])}>; rel="next"'


def _encode_cursor(position: Position) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def _decode_cursor(cursor: str) -> Position:
    try:
        position = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):
        raise _wrong_cursor() from None
    if not isinstance(position, list) or not position:
        raise _wrong_cursor()
    return tuple(position)


def _wrong_cursor() -> HTTPException:
    return HTTPException(422, "Expected a `cursor` of this list, got something else. Begin the list without one.")
