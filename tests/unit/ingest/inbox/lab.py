"""An inbox, a store and a bus in a folder. Datasets of a few bytes, and a clock that is set forward by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.ingest.inbox.inbox import Inbox
from shared.bus.local import LocalBus
from shared.dataset_notices import DatasetNotice, read_datasets
from shared.records import Dataset, Record
from shared.settings import Settings
from shared.store import LocalStore, npz

HEADER = "dataset,subject,clip,path,onset,apex,offset,fps,emotion,aus"


def sheet(clips: Mapping[str, str]) -> bytes:
    """A clips.csv of three frames per clip, `clips` by name with their emotion, all of subject s."""
    rows = [f",s,{clip},frames/{clip},1,2,3,200,{emotion},4+7" for clip, emotion in clips.items()]
    return "\n".join([HEADER, *rows]).encode()


def frames(clip: str) -> dict[str, bytes]:
    return {f"frames/{clip}/img{number}.jpg": f"{clip} {number}".encode() for number in (1, 2, 3)}


def dataset(*clips: str) -> dict[str, bytes]:
    """Files by path, the sheet last."""
    files = {path: data for clip in clips for path, data in frames(clip).items()}
    return {**files, "clips.csv": sheet(dict.fromkeys(clips, "others"))}


class Spy:
    """Counts what is asked of a store or bus, and dies where it is told to: from then on nothing goes through."""

    def __init__(self, real: Any, calls: "Calls", names: tuple[str, ...]) -> None:
        self._real, self._calls, self._names = real, calls, names

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._real, name)
        if name not in self._names:
            return value

        def called(*args: Any, **more: Any) -> Any:
            self._calls.begin(name, args)
            result = value(*args, **more)
            self._calls.end()
            return result

        return called


class Dead(BaseException):
    """As SIGKILL: nothing catches it."""


class Calls:
    """`die_at` counts half calls: before the n-th call has its effect (even), or just after (odd)."""

    def __init__(self) -> None:
        self.made: list[tuple[str, tuple[Any, ...]]] = []
        self.points, self.die_at = 0, -1

    def begin(self, name: str, args: tuple[Any, ...]) -> None:
        self._point()
        self.made.append((name, args))

    def end(self) -> None:
        self._point()

    def _point(self) -> None:
        if 0 <= self.die_at <= self.points:
            raise Dead
        self.points += 1

    def of(self, name: str) -> list[tuple[Any, ...]]:
        return [args for called, args in self.made if called == name]


class Lab:
    def __init__(self, folder: Path, **settings: Any) -> None:
        given = {"inbox_settle_seconds": 0, "home": folder, "scratch": folder / "scratch", "retry_base_seconds": 0.001}
        given["work_in_child"] = False
        self.settings = Settings(**{**given, **settings})
        self.inbox, self.store = LocalStore(folder / "inbox"), LocalStore(folder / "store")
        self.bus = LocalBus(folder / "bus.sqlite")
        self.calls = Calls()
        self.passed = 0.0  # seconds that the clock is ahead
        self.process = self.start()

    def start(self) -> Inbox:
        """A process of the inbox."""
        process = Inbox(
            Spy(self.inbox, self.calls, ("fetch_file", "list_objects")),
            Spy(self.store, self.calls, ("put", "put_file", "get", "exists", "list_keys", "delete")),
            Spy(self.bus, self.calls, ("publish",)),
            self.settings,
            clock=lambda: datetime.now(UTC) + timedelta(seconds=self.passed),
        )
        marks = process.scanner.marks  # no other process reads meanwhile, and calls must not depend on time
        marks.pause, marks.marks.renews = (lambda: None), False
        return process

    def restart(self) -> None:
        self.process.close()
        self.process = self.start()

    def drop(self, name: str, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            self.inbox.put(f"{name}/{path}", data)

    def scan(self) -> float:
        return self.process.scan_now()

    def sources(self) -> list[Record]:
        """Every record that was ever published, in order."""
        with self.bus.exclusive_transaction() as database:
            rows = database.execute("SELECT value FROM messages WHERE topic = 'mer.sources' ORDER BY sequence")
            return [Record.decode(value) for (value,) in rows]

    def announcements(self) -> list[DatasetNotice | None]:
        """Every dataset record, tombstones as None."""
        with self.bus.exclusive_transaction() as database:
            rows = database.execute("SELECT value FROM messages WHERE topic = 'mer.datasets' ORDER BY sequence")
            return [DatasetNotice.decode(value) if value else None for (value,) in rows]

    def announced(self) -> dict[str, Dataset]:
        return {dataset.name: dataset for dataset in read_datasets(self.bus, self.store).values()}

    def only(self) -> Dataset:
        (dataset,) = self.announced().values()
        return dataset

    def fetched(self) -> list[str]:
        """Keys of frames that were fetched since the last time."""
        keys = [key for key, _ in self.calls.of("fetch_file") if not key.endswith((".csv", ".json"))]
        self.calls.made.clear()
        return keys

    def packed(self, record: Record) -> bytes:
        return bytes(npz.unpack_arrays(self.store.get(record.artifact.key))["data"])

    def close(self) -> None:
        self.calls.die_at = -1
        self.process.close()
        self.bus.close()
