"""A cancelled run is noticed at most so often, and a store that is away cancels nothing."""

from pathlib import Path

from services.trainer.service.cancellation import CancellationWatch
from shared.errors import Unavailable
from shared.records import Run
from shared.store import LocalStore


class CountingStore(LocalStore):
    """A store that counts its questions and may be away."""

    asked = 0
    away = False

    def exists(self, key: str) -> bool:
        self.asked += 1
        if self.away:
            raise Unavailable("the store is away")
        return super().exists(key)


def test_the_store_is_asked_once_per_interval(tmp_path: Path) -> None:
    now, store = [100.0], CountingStore(tmp_path)
    run = Run(id="a" * 32, dataset="toy", pipeline="b" * 12, model="linear")
    watch = CancellationWatch(store, run, 5.0, lambda: now[0])
    assert [watch.is_cancelled() for _ in range(10)] == [False] * 10
    assert store.asked == 1
    store.put(run.cancellation_key, b"")
    now[0] = 104.9
    assert not watch.is_cancelled()
    store.away, now[0] = True, 105.0
    assert not watch.is_cancelled()
    store.away, now[0] = False, 110.0
    assert watch.is_cancelled()
    store.away, now[0] = True, 200.0
    assert watch.is_cancelled()
    assert store.asked == 3
