"""The Kafka bus keeps the contract, on a real broker."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from bus_contract import BusContract
from kafka import KafkaAdminClient

from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import TOPICS


class TestKafkaBus(BusContract):
    most_batches = 3

    @pytest.fixture
    def opener(self, kafka_bootstrap: str) -> Iterator[Callable[[], KafkaBus]]:
        prefix = f"{uuid.uuid4().hex[:8]}."
        created = ensure_topics(kafka_bootstrap, [TOPICS[self.topic], TOPICS["mer.features"]], prefix=prefix)
        yield lambda: KafkaBus(kafka_bootstrap, prefix=prefix, session_seconds=30)
        with closing(KafkaAdminClient(bootstrap_servers=kafka_bootstrap)) as admin:
            admin.delete_topics(created)
