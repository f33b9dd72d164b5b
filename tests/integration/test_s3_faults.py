"""What servers, proxies and networks do wrong becomes trouble that passes, or a sentence; never a wrong answer."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from shared.errors import BadData, Misconfigured, Unavailable
from shared.store import NotStored
from shared.store.s3 import S3Store

Answer = Callable[[socket.socket], None]


class Scripted:
    """A server that answers each request by the next of its script, and for ever by the last."""

    def __init__(self, *script: Answer) -> None:
        self.script, self.answered = list(script), 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                self.answered += 1
                self.script[0](connection)
            self.script = self.script[1:] or self.script

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


class Servers:
    """`servers(*script)` starts one and opens a store on it. Only the server that says nothing is given up soon."""

    def __init__(self) -> None:
        self.made: list[tuple[Scripted, S3Store]] = []

    def __call__(self, *script: Answer, **changes: Any) -> S3Store:
        server = Scripted(*script)
        given = {"connect_seconds": 60, "read_seconds": 0.5 if silence in script else 60, "secure": False} | changes
        self.made.append((server, S3Store(server.address, "bucket", "key", "secret", **given)))
        return self.made[-1][1]

    def answered(self) -> int:
        """Requests so far, of all stores."""
        return sum(server.answered for server, _ in self.made)

    def close(self) -> None:
        for server, store in self.made:
            store.close()
            server.close()


@pytest.fixture
def serve() -> Iterator[Servers]:
    with closing(Servers()) as servers:
        yield servers


def replies(status: int, body: bytes = b"", kind: str = "application/xml", claimed: int | None = None) -> Answer:
    """`claimed` is the length that the header promises."""

    def reply(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        length = len(body) if claimed is None else claimed
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)

    return reply


def error(status: int, code: str) -> Answer:
    return replies(status, f"<Error><Code>{code}</Code><Message>said so</Message></Error>".encode())


def silence(connection: socket.socket) -> None:
    while connection.recv(1 << 16):  # until the client goes
        pass


def hangs_up(connection: socket.socket) -> None:
    connection.recv(1 << 16)


# A store begins by asking for its bucket.
EMPTY = replies(200, b"<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated></ListBucketResult>")

PASSING = {
    "slow down": error(503, "SlowDown"),
    "internal": error(500, "InternalError"),
    "starting": error(503, "XMinioServerNotInitialized"),
    "full": error(507, "XMinioStorageFull"),
    "busy": error(429, "TooManyRequests"),
    "request timeout": error(400, "RequestTimeout"),
    "body cut off": error(400, "IncompleteBody"),
    "body changed": error(400, "XAmzContentSHA256Mismatch"),
    "proxy": replies(502, b"<html>Bad gateway</html>", "text/html"),
    "proxy without a word": replies(503, b"", "text/plain"),
    "broken xml": replies(500, b"<Error><Code>Inter"),
    "silence": silence,
    "hang-up": hangs_up,
}


@pytest.mark.parametrize("answer", PASSING.values(), ids=PASSING)
def test_trouble_that_passes_is_unavailable(serve: Servers, answer: Answer) -> None:
    with pytest.raises(Unavailable, match=r"S3 store 127.0.0.1:\d+, bucket 'bucket'"):
        serve(EMPTY, answer).get("k")
    with pytest.raises(Unavailable):
        serve(EMPTY, answer).put("k", b"v")
    assert serve.answered() == 4, "the client repeats nothing by itself"


@pytest.mark.parametrize("answer", [replies(503), replies(500), replies(429), silence, hangs_up])
def test_what_cannot_be_asked_is_not_taken_for_absent(serve: Servers, answer: Answer) -> None:
    with pytest.raises(Unavailable):
        serve(EMPTY, answer).exists("k")


def test_trouble_in_mid_listing_gives_no_short_list(serve: Servers) -> None:
    page = (
        b"<ListBucketResult><Name>b</Name><IsTruncated>true</IsTruncated><NextContinuationToken>t"
        b"</NextContinuationToken><Contents><Key>a</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
        b"<Size>1</Size></Contents></ListBucketResult>"
    )
    for second in (error(503, "SlowDown"), replies(200, page[:-40]), replies(200, page, claimed=len(page) + 40)):
        store = serve(EMPTY, replies(200, page), second)
        with pytest.raises(Unavailable):
            list(store.list_keys())


def test_half_an_object_is_no_object(serve: Servers) -> None:
    half = replies(200, b"half", "application/octet-stream", claimed=8)
    with pytest.raises(Unavailable):
        serve(EMPTY, half).get("k")


REFUSALS = {
    "wrong key": (error(403, "InvalidAccessKeyId"), "refuses these credentials"),
    "wrong secret": (error(403, "SignatureDoesNotMatch"), "refuses these credentials"),
    "policy": (error(403, "AccessDenied"), "policy"),
    "clock": (error(403, "RequestTimeTooSkewed"), "RequestTimeTooSkewed"),
    "region": (error(400, "AuthorizationHeaderMalformed"), "region"),
    "bucket": (error(404, "NoSuchBucket"), "'bucket': there is no such bucket"),
    "web site": (replies(200, b"<html>hello</html>", "text/html"), "Check endpoint"),
    "not found page": (replies(404, b"<html>no</html>", "text/html"), "does not answer like an S3 server"),
    "TLS expected": (replies(400, b"sent an HTTP request to an HTTPS server", "text/plain"), "Check endpoint"),
    "redirect": (error(307, "TemporaryRedirect"), "Check endpoint"),
}


@pytest.mark.parametrize(("answer", "sentence"), REFUSALS.values(), ids=REFUSALS)
def test_what_time_will_not_mend_stops_with_a_sentence(serve: Servers, answer: Answer, sentence: str) -> None:
    with pytest.raises(Misconfigured, match=sentence):
        serve(answer).exists("k")


def test_an_absent_key_and_an_unfit_key_are_the_record_s_fault(serve: Servers) -> None:
    with pytest.raises(NotStored, match="'k'"):
        serve(EMPTY, error(404, "NoSuchKey")).get("k")
    assert not serve(EMPTY, replies(404)).exists("k")
    with pytest.raises(BadData, match="Shorten the names"):
        serve(EMPTY, error(400, "KeyTooLongError")).put("k" * 2000, b"v")


def test_a_slow_network_may_take_longer_than_any_limit(serve: Servers) -> None:
    def reads_slowly(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        left, head = 12 << 20, b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        while left > 0:
            data = connection.recv(1 << 18)
            if not data:
                return
            left -= len(data)
            time.sleep(0.4 * len(data) / (1 << 20))  # 12 MB in 4.8 s
        connection.sendall(b'HTTP/1.1 200 OK\r\nETag: "e"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')

    store = serve(EMPTY, reads_slowly, read_seconds=4.0)
    began = time.monotonic()
    store.put("k", bytes(12 << 20))
    assert time.monotonic() - began > 4


def test_plain_http_is_told_from_tls(serve: Servers) -> None:
    plain = replies(400, b"no TLS here", "text/plain")
    with pytest.raises(Misconfigured, match="does not speak TLS"):
        serve(plain, secure=True).exists("k")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9000", "127.0.0.1:9000/path", ""])
def test_an_endpoint_is_host_and_port(endpoint: str) -> None:
    with pytest.raises(Misconfigured, match="Give host:port"):
        S3Store(endpoint, "bucket", "key", "secret")


@pytest.mark.parametrize("bucket", ["", "a", "with space", "127.0.0.1"])
def test_a_name_that_no_bucket_can_have_is_refused(bucket: str) -> None:
    with pytest.raises(Misconfigured, match="bucket"):
        S3Store("127.0.0.1:9000", bucket, "key", "secret", secure=False).ensure_bucket()
