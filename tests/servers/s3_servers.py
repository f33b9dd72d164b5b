"""The S3 servers that tests run against: the one that the environment names, else MinIO and SeaweedFS of their own."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.minio import MinioServer, binary
from tests.servers.process import ServerMissing
from tests.servers.s3 import Endpoint, S3Server
from tests.servers.seaweedfs import SeaweedFs

OWN = {"minio": MinioServer, "seaweedfs": SeaweedFs}
NAMES = ["given"] if Endpoint.from_environment() else list(OWN)


class SharedServers:
    """One server of each name for the whole session. Data and ports stay the same when one is killed and restarted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: dict[str, S3Server] = {}

    def __enter__(self) -> "SharedServers":
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._started.values():
            server.kill()

    def endpoint(self, name: str) -> Endpoint:
        """Of one of NAMES."""
        return Endpoint.from_environment() or self.server(name).endpoint

    def server(self, name: str) -> S3Server:
        """One of OWN, running; a test may kill it. Skips where it can't be built."""
        if name not in self._started:
            made = OWN[name](self.folder / name)
            if isinstance(made, MinioServer):
                skip_without_minio()
            self._started[name] = made
        self._started[name].start_if_down()
        return self._started[name]


@contextmanager
def own_server(name: str, tls: bool = False) -> Iterator[S3Server]:
    """One of OWN with settings of its own; killed and deleted afterwards. Skips where it can't be built."""
    with tempfile.TemporaryDirectory(prefix="mer-", ignore_cleanup_errors=True) as folder:
        started = OWN[name](Path(folder))
        if isinstance(started, MinioServer):
            skip_without_minio()
            if tls:
                _make_certificate(started)
        try:
            started.start()
            yield started
        finally:
            started.kill()


def skip_without_minio() -> None:
    try:
        binary()
    except ServerMissing as missing:
        pytest.skip(str(missing))


def _make_certificate(minio: MinioServer) -> None:
    try:
        minio.speak_tls()
    except ServerMissing as missing:
        pytest.skip(str(missing))
