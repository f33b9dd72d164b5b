"""Each service's key on a real MinIO, and each service's login on a real Kafka: it can do its work and nothing else."""

import io
from collections.abc import Iterator

import pytest

from shared.errors import Misconfigured
from shared.service_access import ACCESS, NOTIFIER, USER_PREFIX
from shared.settings import Settings
from shared.store import NotStored
from shared.store.policies import grant_store_access
from shared.store.s3 import S3Store
from tests.servers.s3 import Endpoint
from tests.servers.s3_servers import own_server

BUCKETS = {"s3_bucket": "mer", "inbox_bucket": "datasets", "videos_bucket": "videos"}
PASSWORDS = {service: f"secret-of-{service}" for service in ACCESS}
EVERY_KEY = ("source/d/s/c/1.npz", "ingest/d/s/c/1.npz", "ingest/d/s/c/1.json", "flow/d/s/c/1.npz", "runs/1/run.json")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with own_server("minio") as server:
        root = server.endpoint
        for bucket in BUCKETS.values():
            root.store(bucket).ensure_bucket()
        settings = Settings(
            s3_endpoint=root.address, s3_access_key=root.access_key, s3_secret_key=root.secret_key, **BUCKETS
        )
        for _ in range(2):  # set-up may run again
            grant_store_access(root.store("mer"), settings, PASSWORDS)
        yield root


def open_as(endpoint: Endpoint, service: str, bucket: str = "mer") -> S3Store:
    return endpoint.store(bucket, access_key=USER_PREFIX + service, secret_key=PASSWORDS[service])


def put_everything(endpoint: Endpoint) -> None:
    for key in EVERY_KEY:
        endpoint.store("mer").put(key, b"v")
    endpoint.store("datasets").put("d/clips.csv", b"v")


def refused(store: S3Store, action: str, *arguments: object) -> bool:
    try:
        getattr(store, action)(*arguments)
    except Misconfigured as refusal:
        return "AccessDenied" in str(refusal)
    return False


def test_a_stage_reads_its_input_and_writes_its_own_artifacts_alone(endpoint: Endpoint) -> None:
    put_everything(endpoint)
    store = open_as(endpoint, "ingest")
    assert store.get("source/d/s/c/1.npz") == b"v"
    store.put("ingest/d/s/c/2.npz", b"new")
    assert "flow/d/s/c/1.npz" in set(store.list_keys())
    written = [key for key in EVERY_KEY if not refused(store, "put", key, b"other")]
    assert written == ["ingest/d/s/c/1.npz", "ingest/d/s/c/1.json"]
    assert refused(store, "get", "runs/1/run.json")
    with pytest.raises(NotStored):
        store.get("ingest/d/s/c/missing.npz")
    assert not store.exists("source/d/s/c/missing.npz")


@pytest.mark.parametrize(
    ("service", "deleted"),
    [
        ("ingest", ["ingest/d/s/c/1.json"]),
        ("roi-au", ["ingest/d/s/c/1.npz", "ingest/d/s/c/1.json", "flow/d/s/c/1.npz"]),
        ("inbox", []),
        ("withdrawal", list(EVERY_KEY)),
        ("spotter", []),
        ("planner", []),
        ("console", ["runs/1/run.json"]),
        ("trainer", []),
        ("recogniser", []),
        ("person", list(EVERY_KEY)),
    ],
)
def test_nobody_but_a_person_and_the_withdrawal_deletes_a_source_or_what_another_has_made(
    endpoint: Endpoint, service: str, deleted: list[str]
) -> None:
    put_everything(endpoint)
    store = open_as(endpoint, service)
    assert [key for key in EVERY_KEY if not refused(store, "delete", key)] == deleted


@pytest.mark.parametrize("service", sorted(ACCESS.keys() - {"person", NOTIFIER}))
def test_the_withdrawal_alone_deletes_an_upload_and_the_console_replaces_one(endpoint: Endpoint, service: str) -> None:
    put_everything(endpoint)
    store = open_as(endpoint, service, "datasets")
    assert refused(store, "get", "d/clips.csv") == (service not in ("inbox", "withdrawal"))
    assert refused(store, "put", "d/clips.csv", b"other") == (service not in ("console", "withdrawal"))
    assert refused(store, "delete", "d/clips.csv") == (service != "withdrawal")


def test_the_withdrawal_has_no_rights_on_videos(endpoint: Endpoint) -> None:
    open_as(endpoint, "console", "videos").put("film.mp4", b"film")
    store = open_as(endpoint, "withdrawal", "videos")
    assert refused(store, "get", "film.mp4")
    assert refused(store, "delete", "film.mp4")


def test_the_console_takes_an_upload_in_parts_and_abandons_one(endpoint: Endpoint) -> None:
    store, own = open_as(endpoint, "console", "videos"), open_as(endpoint, "console")
    put = store.begin_put("film.mp4", 5 << 20)
    store.put_part(put, 1, io.BytesIO(b"all"))
    store.finish_put(put)
    assert list(store.list_keys()) == ["film.mp4"]
    store.abandon_put(store.begin_put("other.mp4", 5 << 20))
    own.put("uploads/1.json", b"{}")
    own.delete("uploads/1.json")


def test_a_store_without_users_says_what_to_do() -> None:
    with own_server("seaweedfs") as server:
        store = server.endpoint.store("mer")
        settings = Settings(s3_endpoint=server.endpoint.address, s3_access_key="a", s3_secret_key="b")
        with pytest.raises(Misconfigured, match="--policies"):
            grant_store_access(store, settings, PASSWORDS)
