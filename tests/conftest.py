"""What all tests share: one thread per process, one Hypothesis profile, servers that start once a session."""

import os
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from merstream.single_thread import THREAD_COUNT_VARIABLES
from tests.servers import kafka as kafka_server
from tests.servers.process import ServerMissing

if TYPE_CHECKING:
    from tests.servers.s3_servers import SharedServers

# Before numpy and torch read it. Several threads per process would mostly wait for each other.
os.environ.update(dict.fromkeys(THREAD_COUNT_VARIABLES, "1"))

# Several processes of pytest get a size of the terminal, which a console would keep whatever a test sets.
for variable in ("COLUMNS", "LINES"):
    os.environ.pop(variable, None)

# A slow machine is no fault of the code. In CI the examples are the same in each run.
settings.register_profile(
    "merstream",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=bool(os.environ.get("CI")),
    print_blob=True,
)
settings.load_profile("merstream")


@cache
def has_gpu() -> bool:
    import torch  # here: most tests need no torch, and it takes a second

    return torch.cuda.is_available()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not has_gpu():
        pytest.skip("needs an NVIDIA GPU")


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka_server.KafkaServer | None]:
    """A broker of our own, or None where one is given by the environment. Skips where none can be had."""
    if kafka_server.external():
        yield None
        return
    try:
        server = kafka_server.KafkaServer(tmp_path_factory.mktemp("kafka"))
    except ServerMissing as lacking:
        pytest.skip(str(lacking))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def kafka_bootstrap(kafka_broker: kafka_server.KafkaServer | None) -> str:
    """`host:port` of a real Kafka that answers, also after a test that killed it."""
    if kafka_broker is None:
        return str(kafka_server.external())
    kafka_broker.start_if_down()
    return kafka_broker.bootstrap


@pytest.fixture(scope="session")
def s3_servers(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[SharedServers]":
    """MinIO and SeaweedFS, each started on first use and again after a test that killed it."""
    from tests.servers.s3_servers import SharedServers  # here: a machine with a GPU may have no client of S3

    with SharedServers(tmp_path_factory.mktemp("s3")) as servers:
        yield servers
