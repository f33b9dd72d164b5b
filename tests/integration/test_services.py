"""The services as containers start them, on a real Kafka and a real S3: the same bytes as the embedded run."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from merstream.single_thread import THREAD_COUNT_VARIABLES
from merstream.stages import STAGES
from services.ingest.catalogue.entry import FoundClip
from services.ingest.discover import discover_clips
from services.ingest.source_records import emit_record
from shared.bus import Bus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import dead_letter_topic, topic_by_short_name
from shared.connect import open_bus, open_store
from shared.records import Record
from shared.settings import Settings
from shared.store import Store
from shared.store.s3 import S3Store
from tests.integration.conftest import EmbeddedRun
from tests.servers.s3_servers import NAMES, SharedServers

PATIENCE_SECONDS = 600


@pytest.fixture
def environment(kafka_bootstrap: str, s3_servers: SharedServers) -> Iterator[dict[str, str]]:
    """What a container is given; topics and an empty bucket are there."""
    prefix = f"services-{uuid.uuid4().hex[:8]}."
    ensure_topics(kafka_bootstrap, prefix=prefix)
    server = s3_servers.endpoint(NAMES[-1])
    with server.bucket() as store:
        yield {
            "MER_KAFKA_SERVERS": kafka_bootstrap,
            "MER_KAFKA_PREFIX": prefix,
            "MER_S3_ENDPOINT": server.address,
            "MER_S3_TLS": "false",
            "MER_S3_BUCKET": store.bucket,
            "MER_S3_ACCESS_KEY": server.access_key,
            "MER_S3_SECRET_KEY": server.secret_key,
            "MER_PORT": "0",
            **dict.fromkeys(THREAD_COUNT_VARIABLES, "1"),
        }


def test_five_services_make_what_one_process_tree_makes(
    embedded_run: EmbeddedRun, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    bus, store = open_bus(Settings()), open_store(Settings())
    clips = [clip for clip in discover_clips(embedded_run.asked.dataset) if isinstance(clip, FoundClip)]
    services = [start(stage.name) for stage in STAGES]
    try:
        for clip in clips:
            emit_record(clip, embedded_run.asked.pipeline, "drop", store, bus)
        features = wait_for_features(bus, len(clips), services)
    finally:
        codes = [end(service) for service in services]
        bus.close()
    assert codes == [0] * len(STAGES), "SIGTERM ends a service with code 0"
    expected = digests(embedded_run.workspace.open_store())
    assert digests(store) == expected
    assert {r.artifact.key: r.artifact.sha256 for r in features} == {k: d for k, d in expected.items() if "roi-au" in k}
    assert isinstance(store, S3Store)
    counts = {
        group["group"]: (group["done"], group["waiting"], group["failed"]) for group in status(tmp_path)["groups"]
    }
    assert {stage.name: counts[stage.name] for stage in STAGES} == {stage.name: (len(clips), 0, 0) for stage in STAGES}


def status(folder: Path) -> dict[str, Any]:
    """What `mer status` says, told by a file where the stack is."""
    mine = {name: value for name, value in os.environ.items() if name.startswith("MER_")}
    file = folder / "stack.env"
    file.write_text("".join(f"{name}={value}\n" for name, value in mine.items()))
    command = [sys.executable, "-m", "merstream", "--env", str(file), "status", "--json"]
    others = {name: value for name, value in os.environ.items() if name not in mine}
    done = subprocess.run(command, env=others, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def start(stage: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", f"services.{stage.replace('-', '_')}"], env=dict(os.environ))


def end(service: "subprocess.Popen[bytes]") -> int:
    service.send_signal(signal.SIGTERM)
    return service.wait(timeout=PATIENCE_SECONDS)


def wait_for_features(bus: Bus, count: int, services: "list[subprocess.Popen[bytes]]") -> list[Record]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found := bus.read_newest(topic_by_short_name("features").name)) < count:
        assert all(service.poll() is None for service in services), "a service has ended"
        buried = [m.headers["reason"] for s in STAGES for m in bus.read_newest(dead_letter_topic(s.name).name).values()]
        assert buried == []
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return [Record.decode(message.value) for message in found.values()]


def digests(store: Store) -> dict[str, str]:
    """Of every artifact, by its key."""
    artifacts = [key for key in store.list_keys("") if key.endswith(".npz")]
    return {key: hashlib.sha256(store.get(key)).hexdigest() for key in artifacts}
