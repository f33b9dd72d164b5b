"""TLS with a certificate authority of one's own, as labs have it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import Misconfigured
from tests.servers.s3 import Endpoint
from tests.servers.s3_servers import own_server


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with own_server("minio", tls=True) as started:
        yield started.endpoint


def test_the_bundle_that_signed_it_is_trusted(endpoint: Endpoint) -> None:
    data = bytes(range(256)) * 10_000
    with endpoint.bucket() as store:
        store.put("a/ü", data)
        assert store.get("a/ü") == data
        assert list(store.list_keys()) == ["a/ü"]


def test_nobody_else_is(endpoint: Endpoint) -> None:
    store = endpoint.store("bucket", ca_bundle=None)
    with pytest.raises(Misconfigured, match=r"its certificate is not trusted: .* Give the CA bundle"):
        store.put("k", b"v")
    store.close()


def test_without_tls_it_is_told_what_to_turn_on(endpoint: Endpoint) -> None:
    store = endpoint.store("bucket", secure=False, ca_bundle=None)
    with pytest.raises(Misconfigured, match="Check endpoint, port and TLS"):
        store.exists("k")
    store.close()


@pytest.mark.parametrize("content", [None, "nothing of the kind"])
def test_a_bundle_that_is_none_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "lab.pem").write_text(content)
    with pytest.raises(Misconfigured, match=r"lab.pem cannot be used: .*Give a file of PEM certificates"):
        Endpoint("127.0.0.1:1", "key", "secret", secure=True, ca_bundle=tmp_path / "lab.pem").store("bucket")
