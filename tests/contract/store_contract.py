"""What every store promises. A store passes by inheriting these tests and giving `store`."""

import filecmp
import io
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import BadData
from shared.records import Sample
from shared.store import NotStored, Store


class StoreContract:
    """`store` is empty at the start of each test."""

    @pytest.fixture
    def store(self) -> Store:
        raise NotImplementedError

    def test_get_gives_what_was_put(self, store: Store) -> None:
        store.put("flow/a/b/c.npz", b"\x00\xff")
        assert store.get("flow/a/b/c.npz") == b"\x00\xff"
        assert store.exists("flow/a/b/c.npz")

    def test_an_entry_says_size_and_that_the_content_changed(self, store: Store) -> None:
        store.put("a/1", b"four")
        store.put("b/2", b"other")
        (before,) = store.list_objects("a/")
        assert (before.key, before.size) == ("a/1", 4)
        assert [entry.etag for entry in store.list_objects("a/")] == [before.etag]
        store.put("a/1", b"five!")
        (after,) = store.list_objects("a/")
        assert after.etag != before.etag
        assert after.modified >= before.modified

    def test_files_of_any_size_come_and_go(self, store: Store, tmp_path: Path) -> None:
        for size in (0, 5, (64 << 20) + 1):  # S3 takes the last in two parts
            (tmp_path / "there").write_bytes(bytes([size % 251]) * size)
            store.put_file("a/file", tmp_path / "there")
            store.fetch_file("a/file", tmp_path / "back")
            assert filecmp.cmp(tmp_path / "there", tmp_path / "back", shallow=False)
            assert [entry.size for entry in store.list_objects("a/")] == [size]
        with pytest.raises(NotStored, match="a/none"):
            store.fetch_file("a/none", tmp_path / "back")

    def test_an_object_of_parts_appears_at_once(self, store: Store, tmp_path: Path) -> None:
        whole, size = bytes(range(256)) * 50_000, 5 << 20  # the smallest part of S3
        pieces = [whole[start : start + size] for start in range(0, len(whole), size)]
        store.put("d/old", b"before")
        put = store.begin_put("d/film.mp4", size)
        assert store.list_parts(put) == []
        for number in (3, 1):
            store.put_part(put, number, io.BytesIO(pieces[number - 1]))
        assert [(part.number, part.size) for part in store.list_parts(put)] == [(1, size), (3, len(pieces[2]))]
        with pytest.raises(BadData, match="missing"):
            store.finish_put(put)
        for _ in range(2):  # its answer may have been lost
            store.put_part(put, 2, io.BytesIO(pieces[1]))
        assert [part.number for part in store.list_parts(put)] == [1, 2, 3]
        assert list(store.list_keys()) == ["d/old"]
        assert store.list_top()[0] == ["d"]
        store.finish_put(put)
        store.fetch_file("d/film.mp4", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == whole
        with pytest.raises(NotStored):
            store.list_parts(put)
        with pytest.raises(NotStored):
            store.finish_put(put)

    def test_an_abandoned_object_leaves_nothing(self, store: Store) -> None:
        put = store.begin_put("d/film.mp4", 5 << 20)
        store.put_part(put, 1, io.BytesIO(b"some"))
        for _ in range(2):
            store.abandon_put(put)
        with pytest.raises(NotStored):
            store.put_part(put, 2, io.BytesIO(b"more"))
        with pytest.raises(NotStored):
            store.list_parts(put)
        assert list(store.list_keys()) == []

    def test_put_replaces(self, store: Store) -> None:
        store.put("k", b"old and longer")
        store.put("k", b"new")
        assert store.get("k") == b"new"

    def test_what_is_not_stored_is_named(self, store: Store) -> None:
        assert not store.exists("flow/none")
        with pytest.raises(NotStored, match="flow/none"):
            store.get("flow/none")

    @pytest.mark.parametrize("key", ["", "/", "../outside", "a/./b", "a\0b", "a/b/c", "a", "x" * 2000, "\udcff"])
    def test_a_key_that_a_record_should_not_name_is_bad_data(self, store: Store, tmp_path: Path, key: str) -> None:
        """Anything else would be tried for ever, or end the service."""
        store.put("a/b", b"a file, and its folder")
        with pytest.raises(BadData):
            store.get(key)
        with pytest.raises(BadData):
            store.fetch_file(key, tmp_path / "back")

    def test_keys_are_sorted_and_filtered(self, store: Store) -> None:
        for key in ("b/2", "a/1", "b/1"):
            store.put(key, b"")
        assert list(store.list_keys("b/")) == ["b/1", "b/2"]
        assert list(store.list_keys()) == ["a/1", "b/1", "b/2"]

    def test_the_top_has_folders_and_the_objects_beside_them(self, store: Store) -> None:
        for key in ("b/2/x", "b/1", "ü é/1", "top.zip"):
            store.put(key, b"123")
        folders, objects = store.list_top()
        assert sorted(folders) == ["b", "ü é"]
        assert [(entry.key, entry.size) for entry in objects] == [("top.zip", 3)]
        assert objects == [entry for entry in store.list_objects() if entry.key == "top.zip"]

    def test_a_prefix_may_end_within_a_name(self, store: Store) -> None:
        for key in ("b/21/x", "b/22", "b/3/2", "c/2"):
            store.put(key, b"")
        assert list(store.list_keys("b/2")) == ["b/21/x", "b/22"]
        assert list(store.list_keys("none/2")) == []

    def test_deleting_twice_is_no_error(self, store: Store) -> None:
        store.put("k", b"v")
        store.delete("k")
        store.delete("k")
        assert not store.exists("k")

    def test_a_reader_sees_all_of_a_put_or_nothing(self, store: Store) -> None:
        versions = [bytes([n]) * 300_000 for n in range(8)]
        store.put("k", versions[0])
        done = threading.Event()

        def write() -> None:
            for version in versions:
                store.put("k", version)
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        while not done.is_set():
            assert store.get("k") in versions
        writer.join()

    @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(name=st.text(min_size=1, max_size=20))
    def test_any_name_of_a_clip_makes_a_key(self, store: Store, name: str) -> None:
        sample = Sample(
            dataset="d", subject="..", clip=name.encode(errors="replace").decode(), onset=0, offset=1, fps=1
        )
        key = f"flow/{sample.identity}/r.npz"
        store.put(key, b"v")
        assert store.get(key) == b"v"
        assert key in set(store.list_keys("flow/"))
