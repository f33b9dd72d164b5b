"""The etag that S3 gives a file's content, as our own store puts it: in one piece or in parts."""

import hashlib
from pathlib import Path

from shared.store.s3 import PART_BYTES


def content_etag(file: Path) -> str:
    """MD5 of the content; of several parts, MD5 of the parts' MD5s and their number (S3, "Checking object integrity").

    Up to `PART` bytes are one put. Another program may have cut other parts: then the etag differs for equal content.
    """
    digests = []
    with file.open("rb") as stream:
        while part := stream.read(PART_BYTES):
            digests.append(hashlib.md5(part, usedforsecurity=False))
    if len(digests) <= 1:
        return digests[0].hexdigest() if digests else hashlib.md5(b"", usedforsecurity=False).hexdigest()
    together = hashlib.md5(b"".join(each.digest() for each in digests), usedforsecurity=False)
    return f"{together.hexdigest()}-{len(digests)}"
