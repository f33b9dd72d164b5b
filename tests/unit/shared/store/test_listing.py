"""Listings of a store in a folder stay below this folder."""

from pathlib import Path

import pytest

from shared.store import LocalStore


@pytest.mark.parametrize(
    "prefix", ["/", "/etc/", "../", "../secret/", "a/../../secret/", "a//", "./", "\0/", "x" * 300 + "/"]
)
def test_a_prefix_that_is_no_path_below_the_root_lists_nothing(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").touch()
    store = LocalStore(tmp_path / "store")
    store.put("a/b", b"")
    assert list(store.list_objects(prefix)) == []
    assert list(store.list_keys(prefix)) == []
    assert list(store.list_keys("a/")) == list(store.list_keys("a")) == list(store.list_keys()) == ["a/b"]
