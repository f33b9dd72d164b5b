"""Set-up on a real Kafka and real S3 servers: what is dropped is told, and calling it again changes nothing."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from minio import Minio
from minio.notificationconfig import NotificationConfig

from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import TOPICS
from shared.settings import Settings
from shared.setup import announce_uploads, set_up_servers
from shared.store.s3 import S3Store
from tests.servers.minio import MinioServer
from tests.servers.s3 import Endpoint
from tests.servers.s3_servers import SharedServers, skip_without_minio

PATIENCE_SECONDS = 300
PLAIN = {"replication": 1, "min_insync": 1}


class TellingMinio(MinioServer):
    """As in docker-compose.yml: it tells a topic of what changes, and keeps what it could not yet tell."""

    def __init__(self, folder: Path, kafka: str, topic: str) -> None:
        super().__init__(folder)
        self.kafka, self.topic = kafka, topic

    def environment(self) -> Mapping[str, str]:
        target = {
            "ENABLE": "on",
            "BROKERS": self.kafka,
            "TOPIC": self.topic,
            "QUEUE_DIR": str(self.folder / "events"),
        }
        return {**super().environment(), **{f"MINIO_NOTIFY_KAFKA_{name}_MER": value for name, value in target.items()}}


@pytest.fixture
def prefix() -> str:
    return f"setup-{uuid.uuid4().hex[:8]}."


@pytest.fixture
def minio(kafka_bootstrap: str, prefix: str, tmp_path: Path) -> Iterator[MinioServer]:
    skip_without_minio()
    server = TellingMinio(tmp_path, kafka_bootstrap, f"{prefix}mer.bucket-events")
    try:
        server.start()
        yield server
    finally:
        server.kill()


def settings(kafka: str, prefix: str, where: Endpoint) -> Settings:
    """Topics and buckets are of one test."""
    return Settings(
        kafka_servers=kafka,
        kafka_prefix=prefix,
        s3_bucket=f"{prefix}mer",
        inbox_bucket=f"{prefix}mer-inbox",
        videos_bucket=f"{prefix}mer-videos",
        s3_endpoint=where.address,
        s3_access_key=where.access_key,
        s3_secret_key=where.secret_key,
        s3_tls=False,
    )


def test_what_is_dropped_is_told_to_kafka(kafka_bootstrap: str, prefix: str, minio: MinioServer) -> None:
    given = settings(kafka_bootstrap, prefix, minio.endpoint)
    for _ in range(2):
        set_up_servers(given, **PLAIN)
    assert ensure_topics(kafka_bootstrap, TOPICS.values(), prefix=prefix) == [], "all topics are there"
    inbox = minio.endpoint.store(given.inbox_bucket)
    inbox.put("casme/clips.csv", b"subject,clip")
    inbox.delete("casme/clips.csv")
    assert told(kafka_bootstrap, prefix, 2) == [
        ("s3:ObjectCreated:Put", "casme%2Fclips.csv"),
        ("s3:ObjectRemoved:Delete", "casme%2Fclips.csv"),
    ]
    minio.endpoint.store(given.s3_bucket).put("an/artifact.npz", b"x")
    minio.endpoint.store(given.videos_bucket).put("own.mp4", b"x")
    inbox.put("last", b"x")
    later = [key for _, key in told(kafka_bootstrap, prefix, 4)][2:]
    assert later == ["own.mp4", "last"], "artifacts are nobody's news"


def test_what_others_asked_the_bucket_for_stays(kafka_bootstrap: str, prefix: str, minio: MinioServer) -> None:
    store = minio.endpoint.store("other-inbox")
    store.ensure_bucket()
    assert announce_uploads(store)
    place = minio.endpoint
    client = Minio(place.address, place.access_key, place.secret_key, secure=False)
    (ours,) = client.get_bucket_notification("other-inbox").queue_config_list
    theirs = replace(ours, config_id="theirs")
    client.set_bucket_notification("other-inbox", NotificationConfig(queue_config_list=[theirs]))
    assert announce_uploads(store)
    after = client.get_bucket_notification("other-inbox")
    assert [queue.config_id for queue in after.queue_config_list] == ["theirs"]


def test_a_store_that_tells_nobody_is_no_fault(
    kafka_bootstrap: str, prefix: str, s3_servers: SharedServers, caplog: pytest.LogCaptureFixture
) -> None:
    where = s3_servers.endpoint("seaweedfs")
    given = settings(kafka_bootstrap, prefix, where)
    set_up_servers(given, **PLAIN)
    assert "only the scan of the inbox finds uploads" in caplog.text
    store = where.store(given.inbox_bucket)
    store.put("it", b"takes objects")
    assert isinstance(store, S3Store)


def told(kafka: str, prefix: str, count: int) -> list[tuple[str, str]]:
    """(event, key) in the order in which they came; waits for `count`."""
    bus, deadline = KafkaBus(kafka, prefix=prefix), time.monotonic() + PATIENCE_SECONDS
    seen: list[tuple[str, str]] = []
    subscription = bus.subscribe("mer.bucket-events", f"test-{uuid.uuid4().hex}")
    try:
        while len(seen) < count:
            assert time.monotonic() < deadline, f"{count} events were expected, got {seen}"
            if (message := subscription.take_message(timeout=1.0)) is not None:
                for record in json.loads(message.value)["Records"]:
                    seen.append((record["eventName"], record["s3"]["object"]["key"]))
                subscription.commit(message)
    finally:
        bus.close()
    return seen
