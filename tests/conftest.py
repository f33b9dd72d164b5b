"""Servers that tests of several folders share: started on first use, once a session."""

from collections.abc import Iterator

import pytest

from tests.servers import kafka as kafka_server


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka_server.KafkaServer | None]:
    """A broker of our own, or None where one is given by the environment. Skips where none can be had."""
    if kafka_server.external():
        yield None
        return
    try:
        server = kafka_server.KafkaServer(tmp_path_factory.mktemp("kafka"))
    except kafka_server.NoServer as lacking:
        pytest.skip(str(lacking))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def kafka_bootstrap(kafka_broker: kafka_server.KafkaServer | None) -> str:
    """`host:port` of a real Kafka."""
    return kafka_broker.bootstrap if kafka_broker else str(kafka_server.external())
