"""The embedded bus and store keep the contract."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bus_contract import BusContract
from store_contract import StoreContract

from shared.bus import Bus
from shared.bus.local import LocalBus
from shared.errors import BadData, Misconfigured
from shared.store import LocalStore


class TestLocalBus(BusContract):
    @pytest.fixture
    def opener(self, tmp_path: Path):
        return lambda: LocalBus(tmp_path / "bus.sqlite")

    def test_a_topic_is_read_only_after_a_change_of_the_bus(
        self, bus: LocalBus, connect: Callable[[], LocalBus], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reads = []
        read_whole = LocalBus.select_newest
        monkeypatch.setattr(LocalBus, "select_newest", lambda *asked: (reads.append(asked), read_whole(*asked))[1])
        follower = bus.follow(self.topic)
        for change in (
            lambda: None,
            lambda: bus.publish(self.topic, "k", b"own"),
            lambda: connect().publish(self.topic, "k", b"theirs"),
        ):
            change()
            reads.clear()
            for _ in range(3):
                list(follower.read_batches())
            assert len(reads) == 1

    def test_the_message_of_a_killed_member_is_free_at_once(self, bus: Bus, tmp_path: Path) -> None:
        bus.publish(self.topic, "k", b"v")
        member = f"""
import os, pathlib, signal
from shared.bus.local import LocalBus
subscription = LocalBus(pathlib.Path({str(tmp_path / "bus.sqlite")!r})).subscribe({self.topic!r}, "g")
assert subscription.take_message(10).value == b"v"
os.kill(os.getpid(), signal.SIGKILL)
"""
        killed = subprocess.run([sys.executable, "-c", member], cwd=Path(__file__).parents[2])
        assert killed.returncode == -signal.SIGKILL
        message = bus.subscribe(self.topic, "g").take_message(0)
        assert message is not None
        assert message.value == b"v"


class TestLocalStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LocalStore:
        return LocalStore(tmp_path)

    @pytest.mark.parametrize("key", ["../outside", "a/./b", "a//b", "/etc/passwd", ""])
    def test_no_key_leaves_the_folder(self, store: LocalStore, key: str) -> None:
        with pytest.raises(Misconfigured, match="is no key"):
            store.put(key, b"v")

    def test_a_name_too_long_for_a_file_is_bad_data(self, store: LocalStore) -> None:
        with pytest.raises(BadData, match="too many for a file"):
            store.put(f"flow/{'x' * 300}/r.npz", b"v")

    def test_a_put_that_was_cut_off_is_no_key(self, store: LocalStore) -> None:
        (store.folder / ".put-xyz").write_bytes(b"half")
        assert list(store.list_keys()) == []
