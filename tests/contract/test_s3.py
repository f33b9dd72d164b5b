"""Real S3 servers keep the store's contract."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from store_contract import StoreContract

from shared.errors import Misconfigured
from shared.store.s3 import S3Store
from tests.servers.s3 import Endpoint
from tests.servers.s3_servers import NAMES, SharedServers

# What XML, and so a listing, can carry; MinIO keeps objects as files, whose names are 255 bytes at most.
NAME = st.text(st.characters(exclude_categories=["C"], exclude_characters="/\\"), min_size=1, max_size=60).filter(
    lambda name: name.strip(".") and name == name.strip()
)


@pytest.fixture(params=NAMES)
def server(request: pytest.FixtureRequest, s3_servers: SharedServers) -> Endpoint:
    return s3_servers.endpoint(request.param)


class TestS3Store(StoreContract):
    @pytest.fixture
    def store(self, server: Endpoint) -> Iterator[S3Store]:
        with server.bucket() as store:
            yield store

    @settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(names=st.lists(NAME, min_size=1, max_size=3))
    def test_any_name_in_a_bucket_is_read_back(self, store: S3Store, names: list[str]) -> None:
        key = "/".join(["raw", *names, "end"])
        store.put(key, key.encode())
        assert store.get(key) == key.encode()
        assert key in set(store.list_keys("raw/" + names[0]))
        store.delete(key)
        assert not store.exists(key)

    def test_order_is_that_of_the_names_not_of_folders(self, store: S3Store) -> None:
        names = ["a+b%2F c", "a-b", "a.b", "a/b", "a/b c", "ab", "ü/ö%25", "\uffee", "😀"]
        for name in reversed(names):
            store.put(name, b"v")
        assert list(store.list_keys()) == names
        assert list(store.list_keys("a/")) == ["a/b", "a/b c"]
        assert list(store.list_keys("a/b")) == ["a/b", "a/b c"]

    def test_a_listing_goes_on_after_its_first_page(self, store: S3Store) -> None:
        names = [f"d/{number // 100}/{number:04d}" for number in range(1005)]
        for name in names:
            store.put(name, b"")
        assert list(store.list_keys()) == sorted(names)

    def test_entries_say_size_and_change(self, store: S3Store) -> None:
        store.put("d/one", b"123")
        (before,) = store.list_objects("d/")
        store.put("d/one", b"124")
        (after,) = store.list_objects("d/")
        assert (before.key, before.size) == ("d/one", 3)
        assert before.etag != after.etag
        assert before.modified.tzinfo is not None
        assert before.modified <= after.modified

    def test_an_artifact_of_many_pieces_is_the_same_bytes(self, store: S3Store) -> None:
        data = bytes(range(256)) * 80_000  # 20 MB, with a part of a piece at the end
        store.put("big", data)
        assert store.get("big") == data
        (entry,) = store.list_objects()
        assert entry.size == len(data)
        assert "-" not in entry.etag  # the mark of an upload in parts

    @pytest.mark.parametrize("key", ["../outside", "a/./b", "a//b", "/etc/passwd", ""])
    def test_keys_are_those_of_a_folder(self, store: S3Store, key: str) -> None:
        with pytest.raises(Misconfigured, match="is no key"):
            store.put(key, b"v")

    def test_a_bucket_is_made_once(self, server: Endpoint, store: S3Store) -> None:
        again = server.store(store.bucket)
        again.ensure_bucket()
        again.close()
