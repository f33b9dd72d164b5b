"""An S3 server as a process of the tests' own: free ports, random credentials; stopped, killed, frozen, restarted."""

import os
import secrets
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from minio.deleteobjects import DeleteObject

from shared.errors import MerError
from shared.store.s3 import S3Store
from tests.servers.process import DIE_WITH_PARENT, free_port

PATIENCE_SECONDS = 300.0  # until a server that starts on a busy machine is given up


@dataclass(frozen=True)
class Endpoint:
    """Where an S3 server answers, and as whom."""

    address: str  # host:port
    access_key: str
    secret_key: str
    secure: bool = False
    ca_bundle: Path | None = None

    @classmethod
    def from_environment(cls) -> "Endpoint | None":
        """MERSTREAM_TEST_S3=http://access-key:secret-key@host:port, each key percent-encoded."""
        if not (given := os.environ.get("MERSTREAM_TEST_S3")):
            return None
        url = urlsplit(given)
        if not (url.hostname and url.username and url.password):
            raise ValueError("MERSTREAM_TEST_S3: expected http://access-key:secret-key@host:port")
        return cls(url.netloc.rpartition("@")[2], unquote(url.username), unquote(url.password), url.scheme == "https")

    def store(self, bucket: str, **changes: Any) -> S3Store:
        given: dict[str, Any] = {"access_key": self.access_key, "secret_key": self.secret_key}
        given |= {"secure": self.secure, "ca_bundle": self.ca_bundle}
        return S3Store(self.address, bucket, **{**given, **changes})

    @contextmanager
    def bucket(self, **changes: Any) -> Iterator[S3Store]:
        """A store on an empty bucket, which goes afterwards with all that it holds."""
        store = self.store(f"mer-test-{uuid.uuid4().hex[:12]}", **changes)
        store.ensure_bucket()
        try:
            yield store
        finally:
            store.close()
            self._remove(store.bucket)

    def _remove(self, bucket: str) -> None:
        client = self.store(bucket)._client
        held = [DeleteObject(str(found.object_name)) for found in client.list_objects(bucket, recursive=True)]
        assert not list(client.remove_objects(bucket, held))
        client.remove_bucket(bucket)


class S3Server:
    """One process. Subclasses say by `command` how it is started; what it keeps lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.endpoint = Endpoint(f"127.0.0.1:{self.port}", secrets.token_hex(10), secrets.token_hex(20))
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        return {}

    def start(self) -> None:
        """Returns when an object can be put. The same port, data and credentials each time."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env={**os.environ, **self.environment()},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=DIE_WITH_PARENT,
            )
        self._wait_until_it_serves()

    def start_if_down(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self.start()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for a server that takes too long."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL, as a power cut for the process."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It accepts connections and answers none."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitpid(self.process.pid, os.WUNTRACED)  # its threads stop one after another
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def _wait_until_it_serves(self) -> None:
        store = self.endpoint.store("mer-probe", connect_seconds=1, read_seconds=5)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            assert self.process is not None
            assert self.process.poll() is None, f"{self.command()[0]} ended:\n{self._tail()}"
            try:
                store.ensure_bucket()
                store.put("probe", b"v")  # an empty object would need no volume of SeaweedFS
                return store.close()
            except MerError as error:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{self.command()[0]} does not serve: {error}\n{self._tail()}") from None
                time.sleep(0.1)

    def _tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]
