"""The inbox with ten million objects: CPU seconds and memory of its scans.

    PYTHONPATH=. python benchmarks/scale_inbox.py     # minutes; writes benchmarks/results/scale-inbox.json
    PYTHONPATH=. python benchmarks/scale_inbox.py --datasets 2   # a small one

100 datasets of 100,000 objects and 7,500 clips each are announced. The scan, its listings, the announced datasets, bus
and store are real. The bucket is a stand-in that makes up names, so requests are not in the figures: MinIO answers a
listing of 1,000 objects per request. `list` is the first scan, which lists everything. `nothing new` is a scan 60 s
later, and `one change` one after a notification about one dataset.
"""

import resource
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from benchmarks.common import argument_parser, describe_machine, result_file, write_result
from services.ingest.inbox.listing import InboxListings
from services.ingest.inbox.metrics import InboxMetrics
from services.ingest.inbox.scan import InboxScan
from services.ingest.inbox.visit_marks import VisitMarks
from shared.bus.local import LocalBus
from shared.dataset_notices import announce_dataset, dataset_view
from shared.records import Dataset
from shared.store import LocalStore, ObjectInfo
from shared.telemetry import Metrics
from shared.worker.attempt_marks import AttemptMarks

OBJECTS, CLIPS = 100_000, 7_500  # of one dataset
LONG_AGO, NOON = datetime(2029, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, 12, tzinfo=UTC)


class DrawnBucket:
    """A bucket of datasets that all have the same objects. `marks` are the etags of a dataset's first object."""

    def __init__(self, names: list[str]) -> None:
        self.names, self.marks, self.listed = names, dict.fromkeys(names, "0"), 0

    def list_top(self) -> tuple[list[str], list[ObjectInfo]]:
        return list(self.names), []

    def list_objects(self, prefix: str = "") -> Iterator[ObjectInfo]:
        dataset = prefix.rstrip("/")
        yield ObjectInfo(f"{prefix}clips.csv", 1_000_000, self.marks[dataset], LONG_AGO)
        for number in range(OBJECTS - 1):
            self.listed += 1
            clip, frame = divmod(number, 14)
            yield ObjectInfo(
                f"{prefix}frames/subject{clip % 656:04d}/clip{clip:05d}/img{frame:04d}.jpg",
                40_000,
                f"{number:032x}",
                LONG_AGO,
            )


def announce_drawn(bus: LocalBus, store: LocalStore, name: str) -> None:
    version = f"{0:032x}.{0:012x}"
    clips = {
        f"{name}/subject{clip % 656:04d}/clip{clip:05d}": version[: -len(str(clip))] + str(clip)
        for clip in range(CLIPS)
    }
    announce_dataset(bus, store, Dataset(name=name, clips=clips, complete=True))


def open_scan(bucket: DrawnBucket, bus: LocalBus, store: LocalStore, now: list[datetime]) -> InboxScan:
    """The real scan. A dataset that has to be reconciled is the one that was announced."""

    def reconcile(name: str, dropped: Any, quiet: bool, announced: Mapping[str, Dataset], others: Any) -> Dataset:
        (dataset,) = announced.values()
        return dataset

    reconciler = SimpleNamespace(
        inbox=bucket,
        store=store,
        unpacked=SimpleNamespace(keep_only=lambda entries: None),
        patience=300.0,
        beat=lambda: None,
        reconcile_dataset=reconcile,
    )
    return InboxScan(
        cast(Any, reconciler),
        dataset_view(bus, store),
        InboxListings(cast(Any, bucket), lambda: None),
        InboxMetrics(Metrics().registry),
        lambda: now[0],
        settle=5.0,
        marks=VisitMarks(AttemptMarks(store, "inbox", threading.Event()), 3),
    )


def measure_scans(label: str, scan: InboxScan, bucket: DrawnBucket) -> dict[str, Any]:
    bucket.listed, started = 0, time.process_time()
    scan.scan_datasets()
    row = {
        "scan": label,
        "cpu s": round(time.process_time() - started, 2),
        "objects listed": bucket.listed,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(row, flush=True)
    return row


def main() -> None:
    arguments = argument_parser(__doc__)
    arguments.add_argument("--datasets", type=int, default=100)
    count = arguments.parse_args().datasets
    names = [f"dataset{number:03d}" for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        bus, store, bucket = (
            LocalBus(Path(folder) / "bus.sqlite"),
            LocalStore(Path(folder) / "store"),
            DrawnBucket(names),
        )
        for name in names:
            announce_drawn(bus, store, name)
        now = [NOON]
        scan = open_scan(bucket, bus, store, now)
        rows = [measure_scans("list", scan, bucket)]
        now[0] += timedelta(seconds=60)
        rows.append(measure_scans("nothing new", scan, bucket))
        bucket.marks[names[0]] = "1"
        scan.listings.note_change(names[0])
        rows.append(measure_scans("one change", scan, bucket))
        bus.close()
    result = {"machine": describe_machine(), "objects": count * OBJECTS, "clips": count * CLIPS, "rows": rows}
    write_result(result_file("scale-inbox"), result)


if __name__ == "__main__":
    main()
