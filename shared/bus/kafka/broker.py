"""Addresses and login of Kafka brokers, and the translation of their errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from kafka.errors import (
    AuthorizationError,
    IllegalStateError,
    KafkaConfigurationError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)
from kafka.net.compat import KafkaNetClient

from shared.errors import BadData, Misconfigured, Unavailable

# Errors that no retry repairs: somebody has to change a setting.
REFUSAL_ERRORS = (
    AuthorizationError,
    KafkaConfigurationError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
    UnsupportedVersionError,
)
TOO_LARGE_ERRORS = (MessageSizeTooLargeError, RecordListTooLargeError)


@dataclass(frozen=True)
class Broker:
    """A cluster. `servers` is `host:port`, several separated by commas. TLS and SASL are as the cluster requires."""

    servers: str
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    check_hostname: bool = True
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout_seconds: float = 10.0  # of one request and of the first contact

    def client_options(self) -> dict[str, Any]:
        """Arguments for every client of this cluster."""
        return {
            "bootstrap_servers": self.servers.split(","),
            "bootstrap_timeout_ms": int(self.timeout_seconds * 1000),
            "request_timeout_ms": int(self.timeout_seconds * 1000),
            # Reconnect within a second of the broker's return, not within 30.
            "reconnect_backoff_max_ms": 1000,
            # Notice new topics soon.
            "metadata_max_age_ms": 30_000,
            "security_protocol": ("SASL_" if self.sasl else "") + ("SSL" if self.tls else "PLAINTEXT"),
            "ssl_check_hostname": self.check_hostname,
            "ssl_cafile": self.ca_file,
            "ssl_certfile": self.cert_file,
            "ssl_keyfile": self.key_file,
            "sasl_mechanism": self.sasl,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def connect_client(self, client_class: Any, **options: Any) -> Any:
        """A client of this class. Its constructor starts a thread that survives a failed first contact: stop it."""
        started: list[KafkaNetClient] = []

        def start_client(*args: Any, **more: Any) -> KafkaNetClient:
            started.append(KafkaNetClient(*args, **more))
            return started[-1]

        try:
            return client_class(**self.client_options() | options, kafka_client=start_client)
        except BaseException as error:
            for client in started:
                client.close()
            if isinstance(error, KafkaTimeoutError):
                raise KafkaTimeoutError(self._describe_silence()) from None
            raise

    def _describe_silence(self) -> str:
        """A broker that refuses a connection closes it without a reason, and the client retries."""
        secured = self.tls or self.sasl
        cause = " (a wrong password, an untrusted certificate or a port without TLS look the same)" if secured else ""
        return f"no answer from {self.servers} within {self.timeout_seconds:g} s{cause}"


@contextmanager
def translate_kafka_errors(action: str) -> Iterator[None]:
    """Translate errors of the client: BadData for a message that is too large, else Misconfigured or Unavailable."""
    try:
        yield
    except TOO_LARGE_ERRORS as error:
        raise BadData(
            f"{action}: the message is larger than the broker or the topic accepts ({error}). "
            "Records hold references, not arrays: shorten it or raise max.message.bytes of the topic."
        ) from None
    except REFUSAL_ERRORS as error:
        raise Misconfigured(
            f"{action}: the broker refuses this client ({error!r}). Check MER_KAFKA_* and its ACLs."
        ) from error
    except IllegalStateError:
        raise
    except (KafkaError, OSError) as error:
        raise Unavailable(f"{action}: {error!r}") from error


def broker_from(broker: Broker | str) -> Broker:
    """The broker, or a broker without TLS and passwords if only bootstrap servers are given."""
    return Broker(broker) if isinstance(broker, str) else broker
