"""Waiting for servers, and the published secrets."""

import logging

import pytest
from pydantic import SecretStr

from shared import setup
from shared.errors import Misconfigured, Unavailable
from shared.settings import Settings


def test_servers_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(setup.time, "sleep", waits.append)
    answers = iter([Unavailable("no broker"), Unavailable("no store"), None])

    def attempt() -> None:
        if answer := next(answers):
            raise answer

    setup.retry_until_available(attempt, patience_seconds=1000)
    assert next(answers, "none left") == "none left"
    assert len(waits) == 2
    assert 0 < waits[0] < waits[1]


def test_after_its_patience_the_last_word_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 7))
    monkeypatch.setattr(setup.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(setup.time, "sleep", lambda _: None)

    def attempt() -> None:
        raise Unavailable("no broker")

    with pytest.raises(Unavailable, match="no broker"):
        setup.retry_until_available(attempt, patience_seconds=60)


def test_what_time_cannot_mend_is_raised_at_once() -> None:
    def attempt() -> None:
        raise Misconfigured("wrong password")

    with pytest.raises(Misconfigured, match="wrong password"):
        setup.retry_until_available(attempt, patience_seconds=60)


def test_a_run_in_a_folder_has_nothing_to_set_up() -> None:
    with pytest.raises(Misconfigured, match="MER_KAFKA_SERVERS and MER_S3_ENDPOINT"):
        setup.set_up_servers(Settings(), replication=1, min_insync=1, retention_days=None)


@pytest.mark.parametrize(("secret", "loud"), [("demo-only-change-this-secret", True), ("a4f2c0", False)])
def test_published_secrets_are_warned_of(secret: str, loud: bool, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert setup.warn_of_demo_secrets(Settings(s3_secret_key=SecretStr(secret))) is loud
    assert ("EVERYBODY KNOWS" in caplog.text) is loud
    assert secret not in caplog.text
