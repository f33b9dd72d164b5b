"""A broker that wants TLS and a password."""

import gc
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.bus.kafka.broker import Broker
from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.kafka.users import MECHANISM, grant_bus_access
from shared.bus.topics import CLIPS, FEATURES, SOURCES, TOPIC_BY_GROUP, TOPICS, dead_letter_topic
from shared.errors import Misconfigured, Unavailable
from shared.service_access import ACCESS, USER_PREFIX
from tests.servers.kafka import KafkaServer, external
from tests.servers.process import ServerMissing, free_port

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")
TOPIC = "mer.clips"

SECURE = """
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:mer
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
 user_mer="open sesame";
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={pem}
"""


class SecureServer(KafkaServer):
    """Its plain listener is there for the fixture that waits for it."""

    def __init__(self, folder: Path) -> None:
        self.secure, self.certificate = free_port(), folder / "certificate.pem"
        key, self.pem = folder / "key.pem", folder / "server.pem"
        make = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
        )
        subprocess.run([*make.split(), "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        self.pem.write_text(key.read_text() + self.certificate.read_text())
        super().__init__(folder)

    def _properties(self) -> str:
        ports = {"plain": self.port, "controller": self.controller, "secure": self.secure}
        return super()._properties() + SECURE.format(**ports, pem=self.pem)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    if external():
        pytest.skip("MERSTREAM_TEST_KAFKA names a broker that needs no password; unset it to run this test.")
    if not shutil.which("openssl"):
        pytest.skip("No `openssl` on this machine to make a certificate with.")
    try:
        server = SecureServer(tmp_path_factory.mktemp("secure"))
    except ServerMissing as lacking:
        pytest.skip(str(lacking))
    try:
        server.start()
        yield Broker(
            f"127.0.0.1:{server.secure}",
            tls=True,
            ca_file=str(server.certificate),
            sasl="PLAIN",
            username="mer",
            password="open sesame",
            timeout_seconds=60,
        )
    finally:
        server.stop()
        gc.collect()


@pytest.fixture(scope="module")
def granted(broker: Broker) -> Broker:
    """Topics and users as set-up makes them. It may run again."""
    ensure_topics(broker)
    for _ in range(2):
        grant_bus_access(broker, "", {service: f"secret-of-{service}" for service in ACCESS})
    return broker


def open_as(granted: Broker, service: str) -> KafkaBus:
    user = {"username": USER_PREFIX + service, "password": f"secret-of-{service}"}
    return KafkaBus(replace(granted, sasl=MECHANISM, timeout_seconds=60, **user))


def test_a_stage_takes_and_sends_its_records_and_no_others(granted: Broker) -> None:
    with closing(KafkaBus(granted)) as bus:
        bus.publish(SOURCES.name, "k", b"v")
    with closing(open_as(granted, "ingest")) as bus:
        member = bus.subscribe(SOURCES.name, "ingest")
        message = member.take_message(300)
        assert message is not None
        bus.publish(CLIPS.name, message.key, b"clip")
        bus.publish(dead_letter_topic("ingest").name, message.position, b"letter")
        member.commit(message)
        assert set(_refused_topics(bus)) == TOPICS.keys() - {CLIPS.name, SOURCES.name, "mer.ingest.dlq"}
        with pytest.raises(Misconfigured, match="ACLs"):
            bus.read_newest(FEATURES.name)
        with pytest.raises(Misconfigured, match="ACLs"):
            bus.group_progress(SOURCES.name, "flow")
        with pytest.raises(Misconfigured, match="ACLs"):
            bus.erase_messages(SOURCES.name, lambda key: True, "ingest")
    with closing(open_as(granted, "person")) as bus:
        bus.erase_messages(SOURCES.name, lambda key: True, "ingest")


def test_who_reports_sees_what_waits_and_what_failed(granted: Broker) -> None:
    for service in ("person", "inbox", "planner"):
        with closing(open_as(granted, service)) as bus:
            assert bus.group_progress(SOURCES.name, "ingest").lag >= 0
            assert bus.group_progress(TOPIC_BY_GROUP["planner"], "planner").lag == 0
            assert isinstance(bus.read_newest(dead_letter_topic("ingest").name), dict)


def _refused_topics(bus: KafkaBus) -> Iterator[str]:
    for topic in TOPICS:
        try:
            bus.publish(topic, "k", b"v")
        except Misconfigured:
            yield topic


def test_with_certificate_and_password_all_is_as_ever(broker: Broker) -> None:
    ensure_topics(broker, [TOPICS[TOPIC]])
    with closing(KafkaBus(broker)) as bus:
        bus.publish(TOPIC, "k", b"v")
        member = bus.subscribe(TOPIC, "g")
        message = member.take_message(300)
        assert message is not None
        member.commit(message)
        assert bus.read_newest(TOPIC)["k"].value == b"v"
        assert bus.group_progress(TOPIC, "g").committed == 1


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"ca_file": None}, {"tls": False}])
def test_who_is_not_let_in_is_told_what_it_may_be(broker: Broker, wrong: dict[str, Any]) -> None:
    with closing(KafkaBus(replace(broker, **wrong, timeout_seconds=2))) as bus:
        with pytest.raises(Unavailable, match="a wrong password, an untrusted certificate"):
            bus.publish(TOPIC, "k", b"v")
        assert bus.subscribe(TOPIC, "g").take_message(0.1) is None
    gc.collect()
