"""The S3 servers that tests run against: the one that the environment names, else MinIO and SeaweedFS of their own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.minio import CannotBuild, MinioServer, binary
from tests.servers.s3 import Endpoint, S3Server
from tests.servers.seaweedfs import SeaweedFs

OWN = {"minio": MinioServer, "seaweedfs": SeaweedFs}
NAMES = ["given"] if Endpoint.from_environment() else list(OWN)


@contextmanager
def endpoint(name: str) -> Iterator[Endpoint]:
    if given := Endpoint.from_environment():
        yield given
    else:
        with server(name) as started:
            yield started.endpoint


@contextmanager
def server(name: str, tls: bool = False) -> Iterator[S3Server]:
    """One of OWN, for tests that stop it; killed and deleted afterwards. Skips where it can't be built."""
    with tempfile.TemporaryDirectory(prefix="mer-", ignore_cleanup_errors=True) as folder:
        started = OWN[name](Path(folder))
        if isinstance(started, MinioServer):
            _prepare(started, tls)
        try:
            started.start()
            yield started
        finally:
            started.kill()


def _prepare(minio: MinioServer, tls: bool) -> None:
    try:
        binary()
        if tls:
            minio.speak_tls()
    except CannotBuild as missing:
        pytest.skip(str(missing))
