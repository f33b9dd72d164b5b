"""The body of a form with a file (`multipart/form-data`, RFC 7578), for browsers without JavaScript."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fastapi import HTTPException
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

LARGEST_FORM_BYTES = 32 << 20
PIECE_BYTES = 1 << 20
_NO_FORM = "Expected a form with a file (multipart/form-data), whole to its end. Send the form again."
logging.getLogger("python_multipart").setLevel("ERROR")  # it would log each file, and each request that is no form


@dataclass(frozen=True)
class FormFile:
    """The file of a form, to read from its beginning. `to` is the value of the field beside it."""

    to: str
    name: str
    size: int
    file: IO[bytes]


@contextmanager
def open_form_file(body: IO[bytes], content_type: str, scratch: Path | None) -> Iterator[FormFile]:
    """The field `file` of a form. More than 1 MiB of it lies on disk. Raises HTTPException 422 for anything else."""
    files, values, ends = list[File](), dict[bytes, bytes](), list[bool]()

    def keep_value(field: Field) -> None:
        if field.field_name == b"to":
            values[b"to"] = field.value or b""

    kind, options = parse_options_header(content_type)
    config = {"UPLOAD_DIR": str(scratch) if scratch else None, "MAX_MEMORY_FILE_SIZE": PIECE_BYTES}
    try:
        if kind != b"multipart/form-data":
            raise HTTPException(422, _NO_FORM)
        parser = FormParser(
            kind.decode(), keep_value, files.append, lambda: ends.append(True), options.get(b"boundary"), config=config
        )
        shutil.copyfileobj(body, parser, PIECE_BYTES)
        chosen = [each for each in files if each.field_name == b"file" and each.size]
        if not ends or not chosen:
            raise HTTPException(422, _NO_FORM if not ends else "Expected a file with bytes in it. Choose one.")
        found = chosen[-1]
        found.file_object.seek(0)
        name = (found.file_name or b"").decode("utf-8", "replace")
        yield FormFile(values.get(b"to", b"").decode("utf-8", "replace"), name, found.size, found.file_object)
    except FormParserError as error:
        if isinstance(error, OSError):  # the disk is full
            raise
        raise HTTPException(422, _NO_FORM) from None
    finally:
        for each in files:
            each.close()
