"""Creation of the topics of `shared.bus.topics` on a Kafka cluster."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
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
) -> list[str]:
    """Create the topics that are missing, and return their names. It may run again, or twice at once.

    Records never expire: they are small, and a stage that was off for a month finds its work. An existing topic gets
    the settings of its log. It keeps its number of partitions, since keys would change theirs. A difference is logged.
    """
    broker = broker_from(broker)
    wanted = {prefix + topic.name: topic for topic in topics}
    with translate_kafka_errors("creating topics"):
        admin = broker.connect_client(KafkaAdminClient)
        try:
            existing = {topic["name"]: topic for topic in admin.describe_topics()}
            missing = {
                name: {
                    "num_partitions": topic.partitions,
                    "replication_factor": replication,
                    "configs": _topic_configs(topic, min_insync),
                }
                for name, topic in wanted.items()
                if name not in existing
            }
            _warn_of_differences(wanted, existing)
            _renew_settings(admin, {name: topic for name, topic in wanted.items() if name in existing})
            if missing:
                _create_missing_topics(admin, missing)
            return sorted(missing)
        finally:
            admin.close()


def _topic_configs(topic: Topic, min_insync: int) -> dict[str, str]:
    return {name: str(value) for name, value in topic.log_settings.items()} | {"min.insync.replicas": str(min_insync)}


def _renew_settings(admin: Any, topics: Mapping[str, Topic]) -> None:
    """Give existing topics the settings of this version. All others stay. A refusal is logged."""
    if not topics:
        return
    changes = [
        ConfigResource(ConfigResourceType.TOPIC, name, {key: str(value) for key, value in topic.log_settings.items()})
        for name, topic in topics.items()
    ]
    for name, outcome in admin.alter_configs(changes)["topic"].items():
        if outcome != "OK":
            log.warning("the settings of topic %s stay as they are: %s", name, outcome)


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
