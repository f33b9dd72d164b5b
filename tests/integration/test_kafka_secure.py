"""A broker that wants TLS and a password."""

import gc
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.bus.kafka.broker import Broker
from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.topics import TOPICS
from shared.errors import Unavailable
from tests.servers.kafka import KafkaServer, external
from tests.servers.process import ServerMissing, free_port

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")
TOPIC = "mer.clips"

SECURE = """
listeners=PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},SECURE://127.0.0.1:{secure}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
listener.name.secure.sasl.enabled.mechanisms=PLAIN
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
    server.stop()
    gc.collect()


def test_with_certificate_and_password_all_is_as_ever(broker: Broker) -> None:
    ensure_topics(broker, [TOPICS[TOPIC]])
    bus = KafkaBus(broker)
    bus.publish(TOPIC, "k", b"v")
    member = bus.subscribe(TOPIC, "g")
    message = member.take_message(300)
    assert message is not None
    member.commit(message)
    assert bus.read_newest(TOPIC)["k"].value == b"v"
    assert bus.group_progress(TOPIC, "g").lag == 0
    bus.close()


@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"ca_file": None}, {"tls": False}])
def test_who_is_not_let_in_is_told_what_it_may_be(broker: Broker, wrong: dict[str, Any]) -> None:
    bus = KafkaBus(replace(broker, **wrong, timeout_seconds=2))
    with pytest.raises(Unavailable, match="a wrong password, a certificate not trusted"):
        bus.publish(TOPIC, "k", b"v")
    assert bus.subscribe(TOPIC, "g").take_message(0.1) is None
    bus.close()
    gc.collect()
