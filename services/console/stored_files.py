"""Files of the store as answers: never whole in memory, and powerless in a browser."""

import mimetypes
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from fastapi.responses import StreamingResponse

from shared.store import PIECE, Store

# What lies in the store is data: a page among it runs no script, asks nobody and cannot act as the console.
POWERLESS_HEADERS = {
    "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "X-Content-Type-Options": "nosniff",
}


def open_stored_file(store: Store, key: str, scratch: Path | None) -> IO[bytes]:
    """The open file with the bytes under `key`. It has no name on disk any more. Raises NotStored."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        file = Path(folder) / "file"
        store.fetch_file(key, file)
        return file.open("rb")


def stream_file(file: IO[bytes], name: str) -> StreamingResponse:
    """The answer that sends an open file and closes it. Its type follows from its name."""
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return StreamingResponse(_read_pieces(file), media_type=kind, headers=POWERLESS_HEADERS)


def _read_pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
