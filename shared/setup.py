"""Set-up of a deployment, once: topics, buckets, and that the store tells Kafka of what is dropped.

`python -m shared.setup` waits for both servers. Calling it again, or twice at once, does no harm.
"""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Callable
from typing import cast

from minio.error import S3Error
from minio.notificationconfig import NotificationConfig, QueueConfig

from shared.bus.kafka.bus import KafkaBus
from shared.bus.kafka.create_topics import ensure_topics
from shared.connect import open_bus, open_inbox, open_store
from shared.errors import MerError, Misconfigured, Unavailable
from shared.settings import Settings, load_settings
from shared.store.s3 import S3Store
from shared.telemetry import log_to_stderr

log = logging.getLogger("shared.setup")

KAFKA_TARGET = "arn:minio:sqs::MER:kafka"  # what MinIO calls the target that its MINIO_NOTIFY_KAFKA_*_MER describe
DROP_EVENTS = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
# What servers answer that have no such target, or no notifications; SeaweedFS takes the request for a new bucket.
NO_NOTIFICATION_CODES = {
    "InvalidArgument",
    "MethodNotAllowed",
    "NotImplemented",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
}
DEMO_SECRET_PREFIX = "demo-only"  # how the secrets begin that are published with the source
LONGEST_WAIT_SECONDS = 10.0  # seconds between two attempts


def set_up_servers(settings: Settings, *, replication: int, min_insync: int, retention_days: float | None) -> None:
    """One attempt. Raises Unavailable while a server is not there, Misconfigured where none is named."""
    if not (settings.kafka_servers and settings.s3_endpoint):
        raise Misconfigured("Set-up needs MER_KAFKA_SERVERS and MER_S3_ENDPOINT; a run in a folder needs no set-up.")
    bus = cast(KafkaBus, open_bus(settings))
    made = ensure_topics(
        bus.broker, prefix=bus.prefix, replication=replication, min_insync=min_insync, retention_days=retention_days
    )
    log.info("topics made: %s", ", ".join(made) or "none, all are there")
    for store in (open_store(settings), inbox := cast(S3Store, open_inbox(settings))):
        cast(S3Store, store).ensure_bucket()
    announce_drops(inbox)


def announce_drops(inbox: S3Store) -> bool:
    """Have the store tell Kafka of every object put into or taken from `inbox`; False if this server can't."""
    with inbox._translate_errors():
        try:
            config = inbox._client.get_bucket_notification(inbox.bucket)
            if KAFKA_TARGET not in [queue.queue for queue in config.queue_config_list]:
                queues = [*config.queue_config_list, QueueConfig(DROP_EVENTS, queue=KAFKA_TARGET)]
                inbox._client.set_bucket_notification(inbox.bucket, _with_queues(config, queues))
        except S3Error as refusal:
            if refusal.code not in NO_NOTIFICATION_CODES:
                raise
            log.warning("the store can't tell Kafka of drops (%s): only the scan of the inbox finds them", refusal.code)
            return False
    log.info("the store tells Kafka of drops into %s", inbox.bucket)
    return True


def _with_queues(config: NotificationConfig, queues: list[QueueConfig]) -> NotificationConfig:
    """What others have asked the bucket for stays."""
    return NotificationConfig(config.cloud_func_config_list, queues, config.topic_config_list)


def retry_until_available(attempt: Callable[[], None], patience_seconds: float) -> None:
    """Again and again while a server is not there, for `patience` seconds; then what was last said is raised."""
    end, wait = time.monotonic() + patience_seconds, 0.5
    while True:
        try:
            return attempt()
        except Unavailable as trouble:
            if time.monotonic() + wait > end:
                raise
            log.info("waiting: %s", trouble)
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


def warn_of_demo_secrets(settings: Settings) -> bool:
    """Whether the secrets are the published ones."""
    demo = settings.s3_secret_key.get_secret_value().startswith(DEMO_SECRET_PREFIX)
    if demo:
        log.warning("%s", "=" * 80)
        log.warning("THE S3 SECRET IS THE DEMO'S, WHICH EVERYBODY KNOWS. Before data go in, set your own:")
        log.warning("docs/how-to/secrets-and-tls.md")
        log.warning("%s", "=" * 80)
    return demo


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m shared.setup", description=__doc__)
    arguments.add_argument("--replication", type=int, default=1, help="copies of each topic, at most one per broker")
    arguments.add_argument("--min-insync", type=int, default=1, help="copies that must have a message before it counts")
    arguments.add_argument("--retention-days", type=float, help="days until messages expire; default: never")
    arguments.add_argument("--patience", type=float, default=300, help="seconds to wait for the servers")
    given = vars(arguments.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as a container's first process it would be deaf to it
    patience = given.pop("patience")
    try:
        settings = load_settings()
        log_to_stderr(settings.log_level)
        warn_of_demo_secrets(settings)
        retry_until_available(lambda: set_up_servers(settings, **given), patience)
    except MerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
