"""The body of a request as a file: large parts need no memory."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO

import anyio
import anyio.to_thread
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

PATIENCE_SECONDS = 600  # for one part, however slow the line is


@asynccontextmanager
async def receive_body(request: Request, scratch: Path | None, largest: int, exact: bool) -> AsyncIterator[IO[bytes]]:
    """The body in a file without a name, read from its beginning.

    Raises HTTPException: 413 for more than `largest` bytes, 400 for less if it must be `exact`, 408 if it comes too
    slowly.
    """
    with tempfile.TemporaryFile(dir=scratch) as file:
        try:
            with anyio.fail_after(PATIENCE_SECONDS):
                async for piece in request.stream():
                    if file.tell() + len(piece) > largest:
                        raise HTTPException(413, f"Expected {largest} bytes at most. Send a larger file in parts.")
                    await anyio.to_thread.run_sync(file.write, piece)
        except TimeoutError:
            raise HTTPException(408, f"Expected the bytes within {PATIENCE_SECONDS} s. Send them again.") from None
        except ClientDisconnect:
            raise HTTPException(400, "The connection ended early. Send the bytes again.") from None
        if exact and file.tell() != largest:
            raise HTTPException(400, f"Expected {largest} bytes, got {file.tell()}. Send the part again.")
        file.seek(0)
        yield file
