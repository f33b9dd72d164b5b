"""Waiting for servers, and the published secrets."""

import logging
from typing import Any

import pytest
from pydantic import SecretStr

from shared import setup
from shared.errors import Misconfigured, Unavailable
from shared.settings import Settings


class Waits:
    """A clock that moves only while somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_servers_are_waited_for() -> None:
    waits, answers = Waits(), iter([Unavailable("no broker"), Unavailable("no store"), None])

    def attempt() -> None:
        if answer := next(answers):
            raise answer

    setup.wait_for_servers(attempt, 1000, Settings(retry_base_seconds=1), waits.clock, waits.sleep)
    assert next(answers, "none left") == "none left"
    assert len(waits.slept) == 2
    assert 0.5 <= waits.slept[0] <= 1 <= waits.slept[1] <= 2


def test_after_its_patience_the_last_error_is_raised() -> None:
    waits = Waits()

    def attempt() -> None:
        raise Unavailable(f"no broker after {len(waits.slept)} waits")

    with pytest.raises(Unavailable) as raised:
        setup.wait_for_servers(attempt, 60, Settings(), waits.clock, waits.sleep)
    assert len(waits.slept) > 3
    assert f"after {len(waits.slept)} waits" in str(raised.value)
    assert 60 - Settings().retry_cap_seconds <= waits.now <= 60


def test_what_time_cannot_mend_is_raised_at_once() -> None:
    waits = Waits()

    def attempt() -> None:
        raise Misconfigured("wrong password")

    with pytest.raises(Misconfigured, match="wrong password"):
        setup.wait_for_servers(attempt, 60, Settings(), waits.clock, waits.sleep)
    assert waits.slept == []


def test_a_run_in_a_folder_has_nothing_to_set_up() -> None:
    with pytest.raises(Misconfigured, match="MER_KAFKA_SERVERS and MER_S3_ENDPOINT"):
        setup.set_up_servers(Settings(), replication=1, min_insync=1)


DEMO_SECRET, OWN_SECRET = "demo-only-change-this-secret", "a4f2c0"


@pytest.mark.parametrize(("secret", "loud"), [(DEMO_SECRET, True), (OWN_SECRET, False)])
def test_published_secrets_are_warned_of(secret: str, loud: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        setup.check_store_secret(Settings(s3_secret_key=SecretStr(secret), s3_tls=False), 1)
    assert ("EVERYBODY KNOWS" in caplog.text) is loud
    assert secret not in caplog.text


@pytest.mark.parametrize(
    ("deployment", "replication", "named"),
    [
        ({"s3_tls": True}, 1, "TLS"),
        ({"s3_tls": False, "kafka_tls": True, "kafka_sasl": "SCRAM-SHA-512"}, 1, "TLS and logins to Kafka"),
        ({"s3_tls": False}, 3, "several brokers"),
    ],
)
def test_published_secrets_are_refused_where_it_is_no_demo(
    deployment: dict[str, Any], replication: int, named: str
) -> None:
    setup.check_store_secret(Settings(s3_secret_key=SecretStr(OWN_SECRET), **deployment), replication)
    with pytest.raises(Misconfigured, match=f"of your own on a deployment with {named}, got the demo's") as refused:
        setup.check_store_secret(Settings(s3_secret_key=SecretStr(DEMO_SECRET), **deployment), replication)
    assert DEMO_SECRET not in str(refused.value)
