from pathlib import Path

import pytest

from shared.bus.kafka.bus import KafkaBus
from shared.bus.local import LocalBus
from shared.connect import open_bus, open_store
from shared.errors import Misconfigured
from shared.settings import Settings, load_settings
from shared.store import LocalStore
from shared.store.s3 import S3Store


def test_without_servers_everything_lies_in_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    bus = open_bus(settings)
    assert isinstance(bus, LocalBus)
    assert isinstance(open_store(settings), LocalStore)
    bus.close()
    assert sorted(file.name for file in tmp_path.iterdir())[0] == "bus.members"


def test_servers_are_used_where_they_are_given() -> None:
    settings = Settings(
        kafka_servers="k:1", kafka_sasl="PLAIN", kafka_username="u", kafka_password="p", kafka_prefix="x."
    )
    bus = open_bus(settings)
    assert isinstance(bus, KafkaBus)
    assert (bus.broker.servers, bus.broker.sasl, bus.broker.password, bus.prefix) == ("k:1", "PLAIN", "p", "x.")
    store = open_store(Settings(s3_endpoint="s:2", s3_bucket="b", s3_access_key="a", s3_secret_key="k"))
    assert isinstance(store, S3Store)
    assert (store.endpoint, store.bucket) == ("s:2", "b")


def test_a_store_without_credentials_is_refused_and_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_S3_ENDPOINT", "s:2")
    monkeypatch.setenv("MER_S3_SECRET_KEY", "very-secret")
    with pytest.raises(Misconfigured, match="needs MER_S3_ACCESS_KEY") as refused:
        load_settings()
    assert "very-secret" not in str(refused.value)
