"""The body of a form with a file (`multipart/form-data`, RFC 7578), for browsers without JavaScript."""

import mmap
import re
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import IO

from fastapi import HTTPException

LARGEST_FORM_BYTES = 32 << 20


def read_multipart(file: IO[bytes], content_type: str) -> Mapping[str, tuple[str, bytes]]:
    """File name ("" for plain values) and bytes of each field. Raises HTTPException 422 for anything but a form."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    size = file.seek(0, 2)
    if header.get_content_type() != "multipart/form-data" or not boundary or not size:
        raise HTTPException(422, "Expected a form with a file (multipart/form-data).")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as body:
        return dict(_read_fields(body, f"--{boundary}".encode()))


def _read_fields(body: mmap.mmap, mark: bytes) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """Each field lies between two marks: headers, an empty line, the bytes, a line break."""
    start = body.find(mark)
    while (end := body.find(b"\r\n" + mark, start)) >= 0:
        break_at = body.find(b"\r\n\r\n", start, end)
        if break_at < 0:
            raise HTTPException(422, "Expected a field with a header in the form.")
        header = body[start:break_at].decode("utf-8", "replace")
        field, file = (re.search(rf'; {name}="([^"]*)"', header) for name in ("name", "filename"))
        yield field[1] if field else "", (file[1] if file else "", body[break_at + 4 : end])
        start = end + 2
