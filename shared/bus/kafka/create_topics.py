"""Creation of the topics of `shared.bus.topics` on a Kafka cluster."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from shared.bus.kafka.broker import Broker, broker_from, translate_kafka_errors
from shared.bus.topics import TOPICS, Topic

log = logging.getLogger(__name__)


def ensure_topics(
    broker: Broker | str,
    topics: Iterable[Topic] = TOPICS.values(),
    *,
    prefix: str = "",
    replication: int = 1,
    min_insync: int = 1,
    retention_days: float | None = None,
) -> list[str]:
    """Create the topics that are missing, and return their names. It may run again, or twice at once.

    Without `retention_days` nothing expires: records are small, and a stage that was off for a month finds its work.
    An existing topic keeps its number of partitions, since keys would change theirs. A difference is logged.
    """
    broker = broker_from(broker)
    wanted = {prefix + topic.name: topic for topic in topics}
    retention = -1 if retention_days is None else int(retention_days * 86_400_000)
    with translate_kafka_errors("creating topics"):
        admin = broker.connect_client(KafkaAdminClient)
        try:
            existing = {topic["name"]: topic for topic in admin.describe_topics()}
            missing = {
                name: {
                    "num_partitions": topic.partitions,
                    "replication_factor": replication,
                    "configs": _topic_configs(topic, min_insync, retention),
                }
                for name, topic in wanted.items()
                if name not in existing
            }
            _warn_of_differences(wanted, existing)
            if missing:
                _create_missing_topics(admin, missing)
            return sorted(missing)
        finally:
            admin.close()


def _topic_configs(topic: Topic, min_insync: int, retention: int) -> dict[str, str]:
    common = {**topic.broker_options, "min.insync.replicas": str(min_insync)}
    return common if topic.cleanup == "compact" else {**common, "retention.ms": str(retention)}


def _create_missing_topics(admin: Any, missing: Mapping[str, dict[str, Any]]) -> None:
    for name, options in missing.items():
        try:
            admin.create_topics({name: options})
        except TopicAlreadyExistsError:
            log.info("topic %s was created by another process", name)
    admin.wait_for_topics(list(missing), timeout_ms=30_000)


def _warn_of_differences(wanted: Mapping[str, Topic], existing: Mapping[str, Any]) -> None:
    for name in wanted.keys() & existing.keys():
        if (has := len(existing[name]["partitions"])) != wanted[name].partitions:
            log.warning("topic %s has %d partitions, expected %d", name, has, wanted[name].partitions)
