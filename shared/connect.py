"""Bus and store as the settings name them: Kafka and S3 if they are given, else the embedded ones in `home`."""

from shared.bus import Bus
from shared.bus.kafka.watchdog import Watchdog
from shared.settings import Settings
from shared.store import LocalStore, Store


def open_bus(settings: Settings) -> Bus:
    """The bus of this process. The caller closes it."""
    if not settings.kafka_servers:
        from shared.bus.local import LocalBus

        return LocalBus(settings.home / "bus.sqlite")
    # Only a process that uses a broker needs its client installed.
    from shared.bus.kafka.broker import Broker
    from shared.bus.kafka.bus import KafkaBus

    broker = Broker(
        servers=settings.kafka_servers,
        tls=settings.kafka_tls,
        ca_file=settings.kafka_ca_file,
        cert_file=settings.kafka_cert_file,
        key_file=settings.kafka_key_file,
        sasl=settings.kafka_sasl,
        username=settings.kafka_username,
        password=settings.kafka_password.get_secret_value() if settings.kafka_password else None,
    )
    return KafkaBus(
        broker,
        prefix=settings.kafka_prefix,
        session_seconds=settings.kafka_session_seconds,
        poll_interval_seconds=settings.kafka_poll_interval_seconds,
        watchdog=lambda: Watchdog(settings.kafka_watchdog_seconds),
    )


def open_store(settings: Settings) -> Store:
    """The store of all artifacts."""
    return _open_bucket(settings, settings.s3_bucket, "store")


def open_inbox(settings: Settings) -> Store:
    """The store into which datasets are uploaded, each below its name."""
    return _open_bucket(settings, settings.inbox_bucket, "inbox")


def open_videos(settings: Settings) -> Store:
    """The store into which videos of one's own are uploaded."""
    return _open_bucket(settings, settings.videos_bucket, "videos")


def _open_bucket(settings: Settings, bucket: str, folder: str) -> Store:
    if not settings.s3_endpoint:
        return LocalStore(settings.home / folder)
    from shared.store.s3 import S3Store

    return S3Store(
        settings.s3_endpoint,
        bucket,
        settings.s3_access_key,
        settings.s3_secret_key.get_secret_value(),
        region=settings.s3_region,
        secure=settings.s3_tls,
        path_style=settings.s3_path_style,
        ca_bundle=settings.s3_ca_bundle,
    )
