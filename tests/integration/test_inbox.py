"""The inbox as a process on a real Kafka and real S3 servers: told by the store, or finding itself what was missed."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from merstream.stack import upload as drop
from services.ingest.inbox.inbox import Inbox
from shared.bus.kafka.bus import KafkaBus
from shared.connect import open_store
from shared.dataset_notices import read_datasets
from shared.errors import Unavailable
from shared.records import Dataset, Record
from shared.settings import Settings
from shared.setup import set_up_servers
from shared.store.s3 import PART_BYTES
from tests.integration.test_setup import TellingMinio
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port
from tests.servers.s3 import Endpoint
from tests.servers.s3_servers import NAMES, SharedServers, skip_without_minio
from tests.unit.ingest.inbox.lab import dataset

PATIENCE_SECONDS = 600
SELDOM = 100_000  # seconds between scans: whatever is found earlier was told


def settings(kafka: str, prefix: str, where: Endpoint, folder: Path, **more: float) -> Settings:
    """Topics and buckets are of one test."""
    return Settings(
        kafka_servers=kafka,
        kafka_prefix=prefix,
        s3_bucket=f"{prefix}mer",
        inbox_bucket=f"{prefix}mer-inbox",
        s3_endpoint=where.address,
        s3_access_key=where.access_key,
        s3_secret_key=where.secret_key,
        s3_tls=False,
        home=folder,
        scratch=folder / "scratch",
        inbox_settle_seconds=0,
        **more,
    )


def prepared(given: Settings) -> Settings:
    set_up_servers(given, replication=1, min_insync=1)
    return given


@contextmanager
def running(given: Settings) -> Iterator["subprocess.Popen[bytes]"]:
    """`python -m services.ingest.inbox`, as a container starts it; ends with code 0."""
    fields = given.model_dump(exclude_unset=True, exclude={"s3_secret_key"})
    environment = {f"MER_{name.upper()}": str(value) for name, value in fields.items()}
    environment["MER_S3_SECRET_KEY"] = given.s3_secret_key.get_secret_value()
    environment["MER_RETRY_CAP_SECONDS"] = "2"
    process = subprocess.Popen([sys.executable, "-m", "services.ingest.inbox"], env={**os.environ, **environment})
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def until(done: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert process.poll() is None, "the inbox has ended"
        assert time.monotonic() < deadline
        time.sleep(0.2)


def announced(bus: KafkaBus, given: Settings) -> dict[str, Dataset]:
    try:
        found = read_datasets(bus, open_store(given))
    except Unavailable:
        return {}
    return {each.name: each for each in found.values()}


def sources(bus: KafkaBus, count: int) -> list[Record]:
    """The first `count` that were published, and any that is there besides."""
    found: list[Record] = []
    with closing(bus.subscribe("mer.sources", f"test-{uuid.uuid4().hex}")) as member:
        while message := member.take_message(PATIENCE_SECONDS if len(found) < count else 2):
            found.append(Record.decode(message.value))
            member.commit(message)
    return found


def given_folder(folder: Path, *clips: str) -> Path:
    for path, data in dataset(*clips).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def ready(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
        return bool(answer.status == 200)
    return False


@pytest.fixture
def prefix() -> str:
    return f"inbox-{uuid.uuid4().hex[:8]}."


def test_a_drop_reaches_the_inbox_by_notification(kafka_bootstrap: str, prefix: str, tmp_path: Path) -> None:
    skip_without_minio()
    minio = TellingMinio(tmp_path / "minio", kafka_bootstrap, f"{prefix}mer.bucket-events")
    port = free_port()
    bus = KafkaBus(kafka_bootstrap, prefix=prefix)
    try:
        minio.start()
        given = prepared(
            settings(kafka_bootstrap, prefix, minio.endpoint, tmp_path, inbox_scan_seconds=SELDOM, port=port)
        )
        with running(given) as process:
            until(lambda: ready(port), process)
            drop.drop_dataset(
                given, drop.prepare_upload(given_folder(tmp_path / "my lab's Übung", "a", "b c"), None, None)
            )
            until(lambda: any(each.complete for each in announced(bus, given).values()), process)
        records = sources(bus, 2)
        assert sorted(record.sample.clip for record in records) == ["a", "b c"], "each clip once"
        assert announced(bus, given)["my lab's Übung"].clips == {r.sample.identity: r.version for r in records}
    finally:
        bus.close()
        minio.kill()


def test_what_was_dropped_while_kafka_was_down_is_found(
    kafka_bootstrap: str, kafka_broker: KafkaServer | None, prefix: str, s3_servers: SharedServers, tmp_path: Path
) -> None:
    if kafka_broker is None:
        pytest.skip("stops the broker, so it needs one of its own")
    where = s3_servers.endpoint(NAMES[0])
    given = prepared(settings(kafka_bootstrap, prefix, where, tmp_path, inbox_scan_seconds=1))
    with closing(KafkaBus(kafka_bootstrap, prefix=prefix)) as bus:
        with running(given) as process:
            drop.drop_dataset(given, drop.prepare_upload(given_folder(tmp_path / "first", "a"), None, None))
            until(lambda: "first" in announced(bus, given), process)
            kafka_broker.kill()
            drop.drop_dataset(given, drop.prepare_upload(given_folder(tmp_path / "second", "b"), None, None))
            time.sleep(3)  # a scan meets the broker that is away; without it the test holds less, not more
            kafka_broker.start()
            until(lambda: "second" in announced(bus, given), process)
        assert {record.sample.clip for record in sources(bus, 2)} == {"a", "b"}


@pytest.mark.parametrize("name", NAMES)
def test_a_store_that_tells_nobody_is_scanned(
    kafka_bootstrap: str, prefix: str, s3_servers: SharedServers, tmp_path: Path, name: str
) -> None:
    where = s3_servers.endpoint(name)
    given = prepared(settings(kafka_bootstrap, prefix, where, tmp_path))
    bus = KafkaBus(kafka_bootstrap, prefix=prefix)
    inbox, store = where.store(given.inbox_bucket), where.store(given.s3_bucket)
    process = Inbox(inbox, store, bus, given)
    try:
        folder = given_folder(tmp_path / f"d {name}", "a", "b")
        assert drop.drop_dataset(given, drop.prepare_upload(folder, None, None)) == 7
        process.scan_now()
        before = announced(bus, given)[f"d {name}"]
        assert before.complete
        assert drop.drop_dataset(given, drop.prepare_upload(folder, None, None)) == 0, (
            "the server's etags tell that all is there"
        )
        process.scan_now()
        (folder / "frames/a/img1.jpg").write_bytes(b"better")
        assert drop.drop_dataset(given, drop.prepare_upload(folder, None, None)) == 1
        process.scan_now()
        after = announced(bus, given)[f"d {name}"]
        changed = {identity for identity in after.clips if after.clips[identity] != before.clips[identity]}
        assert [identity.rpartition("/")[2] for identity in changed] == ["a"]
        for key in list(inbox.list_keys()):
            inbox.delete(key)
        process.scan_now()
        assert f"d {name}" not in announced(bus, given)
    finally:
        process.close()
        bus.close()


@pytest.mark.parametrize("name", NAMES)
def test_etags_are_what_the_server_says(s3_servers: SharedServers, tmp_path: Path, name: str) -> None:
    with s3_servers.endpoint(name).bucket() as store:
        for size in (0, 5, (64 << 20) + 1):
            (tmp_path / "f").write_bytes(bytes([size % 251]) * size)
            store.put_file("f", tmp_path / "f")
            (entry,) = store.list_objects()
            assert entry.etag == drop.content_etag(tmp_path / "f", PART_BYTES), size


def test_the_store_away_is_waited_out(
    kafka_bootstrap: str, prefix: str, s3_servers: SharedServers, tmp_path: Path
) -> None:
    if NAMES == ["given"]:
        pytest.skip("stops the store, so it needs one of its own")
    minio = s3_servers.server("minio")
    given = prepared(settings(kafka_bootstrap, prefix, minio.endpoint, tmp_path, inbox_scan_seconds=1))
    with closing(KafkaBus(kafka_bootstrap, prefix=prefix)) as bus, running(given) as process:
        drop.drop_dataset(given, drop.prepare_upload(given_folder(tmp_path / "first", "a"), None, None))
        until(lambda: "first" in announced(bus, given), process)
        minio.kill()
        minio.start()
        drop.drop_dataset(given, drop.prepare_upload(given_folder(tmp_path / "second", "b"), None, None))
        until(lambda: "second" in announced(bus, given), process)
