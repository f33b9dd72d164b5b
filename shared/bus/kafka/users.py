"""Users and ACLs on a Kafka cluster with logins: one user per service."""

from collections.abc import Iterator, Mapping

from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from shared.bus.kafka.broker import Broker, translate_kafka_errors
from shared.errors import Misconfigured
from shared.service_access import EVERY, USER_PREFIX, bus_rights

MECHANISM = "SCRAM-SHA-512"


def grant_bus_access(broker: Broker, prefix: str, passwords: Mapping[str, str]) -> None:
    """Create or correct a user and its ACLs for each service. The login of `broker` must be a super user's.

    `prefix` is that of topics and groups. Raises Misconfigured if the cluster refuses, else Unavailable.
    """
    with translate_kafka_errors("creating users"):
        admin = broker.connect_client(KafkaAdminClient)
        try:
            users = [
                UserScramCredentialUpsertion(USER_PREFIX + service, ScramMechanism.SCRAM_SHA_512, password)
                for service, password in passwords.items()
            ]
            refusals = [error for error in admin.alter_user_scram_credentials(users).values() if error]
            acls = [acl for service in passwords for acl in service_acls(service, prefix)]
            refusals += [error.__name__ for error in admin.create_acls(acls)["failed"]]
            if refusals:
                raise Misconfigured(f"Kafka refuses users or rights: {refusals[0]}. Check the broker's authorizer.")
        finally:
            admin.close()


def service_acls(service: str, prefix: str) -> Iterator[ACL]:
    """What a service may do. `prefix` is that of topics and groups."""
    for kind, name, operation in bus_rights(service):
        named = name if name == EVERY else prefix + name
        resource = ResourcePattern(ResourceType[kind], named, ACLResourcePatternType.LITERAL)
        yield ACL(f"User:{USER_PREFIX}{service}", "*", ACLOperation[operation], ACLPermissionType.ALLOW, resource)
