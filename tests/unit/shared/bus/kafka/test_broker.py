"""How a cluster is reached, and what its troubles are called; no broker needed."""

import pytest
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError, TopicAuthorizationFailedError

from shared.bus.kafka.broker import Broker, broker_from, translate_kafka_errors
from shared.errors import BadData, MerError, Misconfigured, Unavailable


@pytest.mark.parametrize(
    ("broker", "protocol"),
    [
        (Broker("b:9092"), "PLAINTEXT"),
        (Broker("b:9092", tls=True), "SSL"),
        (Broker("b:9092", sasl="PLAIN"), "SASL_PLAINTEXT"),
        (Broker("b:9092", tls=True, sasl="SCRAM-SHA-512"), "SASL_SSL"),
    ],
)
def test_the_protocol_follows_from_tls_and_sasl(broker: Broker, protocol: str) -> None:
    assert broker.client_options()["security_protocol"] == protocol


def test_several_servers_are_separated_by_commas() -> None:
    assert broker_from("a:1,b:2").client_options()["bootstrap_servers"] == ["a:1", "b:2"]


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Broker("b:9092", sasl="PLAIN", username="u", password="secret"))


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (KafkaTimeoutError("late"), Unavailable),
        (ConnectionRefusedError("no"), Unavailable),
        (MessageSizeTooLargeError("2 MB"), BadData),
        (TopicAuthorizationFailedError("no"), Misconfigured),
    ],
)
def test_errors_of_the_client_become_ours(error: Exception, ours: type[MerError]) -> None:
    with pytest.raises(ours, match="publishing"), translate_kafka_errors("publishing"):
        raise error
