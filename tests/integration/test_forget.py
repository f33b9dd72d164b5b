"""`mer forget` on a real Kafka and a real MinIO: of a person, a dataset and a video nothing is left on either."""

import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from merstream.forget import forget
from services.ingest.inbox.inbox import Inbox
from services.ingest.inbox.video_inbox import VideoInbox
from shared.bus.dead_letters import bury_message, read_outstanding_letters
from shared.bus.kafka.bus import KafkaBus
from shared.connect import open_bus, open_inbox, open_store, open_videos
from shared.dataset_notices import read_datasets
from shared.errors import BadData
from shared.records import Artifact, Record
from shared.settings import Settings
from shared.setup import set_up_servers
from shared.store import Store
from tests.integration.test_inbox import PATIENCE_SECONDS, settings
from tests.servers.s3_servers import SharedServers
from tests.unit.ingest.inbox.lab import HEADER, frames


class Stack:
    """Two datasets and a video, each clip with features, and one dead letter."""

    def __init__(self, given: Settings) -> None:
        self.settings = given
        self.bus: KafkaBus = open_bus(given)  # type: ignore[assignment]
        self.store, self.uploads, self.videos = open_store(given), open_inbox(given), open_videos(given)
        for name in ("d", "other"):
            rows = [f"{name},{who},{clip},frames/{clip},1,2,3,200,others,4" for who, clip in (("p", "a"), ("q", "b"))]
            files = {**frames("a"), **frames("b"), "clips.csv": "\n".join([HEADER, *rows]).encode()}
            for path, data in files.items():
                self.uploads.put(f"{name}/{path}", data)
        self.videos.put("v 1.mp4", b"a video")
        self.scan()
        self.compute()

    def scan(self) -> None:
        for process in (
            Inbox(self.uploads, self.store, self.bus, self.settings),
            VideoInbox(self.videos, self.store, self.bus, self.settings),
        ):
            process.scan_now()
            process.close()

    def compute(self) -> None:
        """What the stages do: each source becomes features and is committed. The first is a dead letter."""
        with closing(self.bus.subscribe("mer.sources", "ingest")) as member:
            for number in range(4):
                message = member.take_message(PATIENCE_SECONDS)
                assert message
                source = Record.decode(message.value)
                if number == 0:
                    bury_message(self.bus, self.store, "ingest", message, "no face", {})
                key = source.artifact.key.replace("source/", "roi-au/", 1)
                self.store.put(key, b"features")
                artifact = Artifact(key=key, sha256="0" * 64, size=8)
                made = source.model_copy(
                    update={"stage": "roi-au", "artifact": artifact, "inputs": {"source": source.artifact}}
                )
                self.bus.publish("mer.features", made.key, made.encode())
                member.commit(message)

    def people(self) -> set[tuple[str, str]]:
        """Whose features are on the bus."""
        records = map(Record.decode, (message.value for message in self.bus.read_newest("mer.features").values()))
        return {(record.sample.dataset, record.sample.subject) for record in records}

    def naming(self, text: str) -> list[str]:
        stores: tuple[Store, ...] = (self.store, self.uploads, self.videos)
        return [key for store in stores for key in store.list_keys() if text in f"/{key}"]


@pytest.fixture
def stack(
    kafka_bootstrap: str, s3_servers: SharedServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stack]:
    prefix = f"forget-{uuid.uuid4().hex[:8]}."
    given = settings(kafka_bootstrap, prefix, s3_servers.endpoint("minio"), tmp_path)
    given = given.model_copy(update={"videos_bucket": f"{prefix}mer-videos"})
    set_up_servers(given, replication=1, min_insync=1)
    for name in [name for name in os.environ if name.startswith("MER_")]:
        monkeypatch.delenv(name)
    for name in ("kafka_servers", "kafka_prefix", "s3_bucket", "inbox_bucket", "videos_bucket", "s3_endpoint", "home"):
        monkeypatch.setenv(f"MER_{name.upper()}", str(getattr(given, name)))
    monkeypatch.setenv("MER_S3_ACCESS_KEY", given.s3_access_key)
    monkeypatch.setenv("MER_S3_SECRET_KEY", given.s3_secret_key.get_secret_value())
    monkeypatch.setenv("MER_S3_TLS", "false")
    stack = Stack(given)
    yield stack
    stack.bus.close()


def removed(name: str, subject: str | None = None, video: bool = False) -> str:
    return " ".join(forget(None, name, subject, video, lambda plan: True))


def test_nothing_is_left_of_a_person_a_dataset_and_a_video(stack: Stack) -> None:
    assert stack.people() == {("d", "p"), ("d", "q"), ("other", "p"), ("other", "q")}

    said = removed("d", "q")
    assert "One person of d: removed 3 uploaded files, 1 clips" in said
    assert "Sheets were not changed" in said
    stack.scan()
    assert stack.people() == {("d", "p"), ("other", "p"), ("other", "q")}
    assert stack.naming("/d/q/") == [] == stack.naming("d/frames/b")
    assert {key for each in read_datasets(stack.bus, stack.store).values() for key in each.clips} == {
        *("d/p/a", "other/p/a", "other/q/b")
    }
    assert read_progress(stack.bus, "mer.sources", "ingest") == (4, 4), "nothing is said again"

    assert "d: removed 4 uploaded files, 1 clips" in removed("d")
    stack.scan()
    assert stack.people() == {("other", "p"), ("other", "q")}
    assert stack.naming("/d/") == [] == stack.naming("inbox/d")
    assert {each.name for each in read_datasets(stack.bus, stack.store).values()} == {"other"}
    letters = read_outstanding_letters(stack.bus, stack.store, "ingest")
    assert [letter for letter in letters if letter.key.startswith("d/")] == []
    assert first_offsets(stack.bus, "mer.sources") == 4, "what was processed is deleted"
    assert "removed nothing, nothing of it was left." in removed("d")

    assert "v 1.mp4: removed 1 uploaded files, 1 records." in removed("v 1.mp4", video=True)
    stack.scan()
    assert stack.bus.read_newest("mer.videos") == {} == dict.fromkeys(stack.videos.list_keys(), 0)
    assert stack.people() == {("other", "p"), ("other", "q")}
    assert len(stack.naming("other")) == 7 + 4 * 2 + 1 - 2
    with pytest.raises(BadData, match=r"Expected something of D, got nothing\. Datasets: other"):
        removed("D")


def read_progress(bus: KafkaBus, topic: str, group: str) -> tuple[int, int]:
    progress = bus.group_progress(topic, group)
    return progress.published, progress.committed


def first_offsets(bus: KafkaBus, topic: str) -> int:
    """How many messages were deleted: a group without commits counts them as committed."""
    return bus.group_progress(topic, "nobody").committed
