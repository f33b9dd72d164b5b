"""Set-up of a deployment, once: topics, buckets, users, and notifications about uploads from the store to Kafka.

`python -m shared.setup` waits for both servers. It may run again, or twice at once.
"""

import argparse
import json
import logging
import signal
import sys
import time
from collections.abc import Callable
from typing import cast

from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.bus.kafka.users import grant_bus_access
from shared.connect import open_bus, open_inbox, open_store, open_videos
from shared.errors import MerError, Misconfigured
from shared.service_access import ACCESS, parse_passwords
from shared.settings import Settings, load_settings
from shared.store.policies import grant_store_access, store_policy
from shared.store.s3 import S3Store
from shared.telemetry import log_to_stderr
from shared.worker.retry import backoff_seconds, retry_until

log = logging.getLogger("shared.setup")

KAFKA_TARGET = "arn:minio:sqs::MER:kafka"  # MinIO's name of the target that its MINIO_NOTIFY_KAFKA_*_MER describe
UPLOAD_EVENTS = ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
DEMO_SECRET_PREFIX = "demo-only"  # the secrets that are published with the source begin so


def set_up_servers(settings: Settings, *, replication: int, min_insync: int) -> None:
    """Attempt the set-up once. Raises Unavailable while a server does not answer, Misconfigured if none is named."""
    if not (settings.kafka_servers and settings.s3_endpoint):
        raise Misconfigured("Set-up needs MER_KAFKA_SERVERS and MER_S3_ENDPOINT. A run in a folder needs no set-up.")
    bus = cast(KafkaBus, open_bus(settings))
    created = ensure_topics(bus.broker, prefix=bus.prefix, replication=replication, min_insync=min_insync)
    log.info("topics created: %s", ", ".join(created) or "none, all exist")
    store = cast(S3Store, open_store(settings))
    store.ensure_bucket()
    for inbox in (open_inbox(settings), open_videos(settings)):
        cast(S3Store, inbox).ensure_bucket()
        announce_uploads(cast(S3Store, inbox))
    if passwords := parse_passwords(settings.service_passwords.get_secret_value()):
        grant_store_access(store, settings, passwords)
        if settings.kafka_sasl:
            grant_bus_access(bus.broker, bus.prefix, passwords)
        log.info("users created or corrected: %s", ", ".join(passwords))


def announce_uploads(inbox: S3Store) -> bool:
    """Let the store tell Kafka of every object that is put into or removed from `inbox`. False if it cannot."""
    if refusal := inbox.notify_kafka(KAFKA_TARGET, UPLOAD_EVENTS):
        log.warning("no notices of %s (%s): only the scan of the inbox finds uploads", inbox.bucket, refusal)
        return False
    log.info("the store notifies Kafka of uploads into %s", inbox.bucket)
    return True


def wait_for_servers(
    attempt: Callable[[], None],
    patience_seconds: float,
    settings: Settings,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Repeat `attempt` while a server does not answer. After `patience_seconds` its last error is raised."""
    deadline = clock() + patience_seconds

    def wait_or_raise(number: int, error: Exception) -> None:
        seconds = backoff_seconds(settings, number)
        if clock() + seconds > deadline:
            raise error
        log.info("waiting: %s", error)
        sleep(seconds)

    retry_until(lambda number: attempt(), wait_or_raise)


def check_store_secret(settings: Settings, replication: int) -> None:
    """Warn if the secret of the store is the published one. Raises Misconfigured if this is clearly no demo."""
    if not settings.s3_secret_key.get_secret_value().startswith(DEMO_SECRET_PREFIX):
        return
    signs = {
        "TLS": settings.s3_tls or settings.kafka_tls,
        "logins to Kafka": settings.kafka_sasl,
        "several brokers": replication > 1,
    }
    if found := [name for name, present in signs.items() if present]:
        raise Misconfigured(
            f"MER_S3_SECRET_KEY: expected a secret of your own on a deployment with {' and '.join(found)}, got the "
            "demo's, which everybody knows. docs/how-to/secrets-and-tls.md says how to make one."
        )
    log.warning("%s", "=" * 80)
    log.warning("THE S3 SECRET IS THE DEMO'S, WHICH EVERYBODY KNOWS. Set your own before you upload data:")
    log.warning("docs/how-to/secrets-and-tls.md")
    log.warning("%s", "=" * 80)


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m shared.setup", description=__doc__)
    arguments.add_argument("--replication", type=int, default=1, help="copies of each topic, at most one per broker")
    arguments.add_argument("--min-insync", type=int, default=1, help="copies that must have a message before it counts")
    arguments.add_argument("--policies", action="store_true", help="only print the store's policy of each service")
    arguments.add_argument("--patience", type=float, default=300, help="seconds to wait for the servers")
    given = vars(arguments.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the first process of a container ignores it otherwise
    patience, only_policies = given.pop("patience"), given.pop("policies")
    try:
        settings = load_settings()
        if only_policies:
            print(json.dumps({name: store_policy(access, settings) for name, access in ACCESS.items()}, indent=2))
            return
        log_to_stderr(settings.log_level)
        check_store_secret(settings, given["replication"])
        wait_for_servers(lambda: set_up_servers(settings, **given), patience, settings)
    except MerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
