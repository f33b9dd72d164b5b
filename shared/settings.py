"""Operational settings, from the environment (`MER_*`): addresses, folders, limits and waits of a process.

Science settings are not here. They travel in each record (`Pipeline`), so that one deployment serves many experiments.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import Misconfigured, first_problem

# Variables that are read without Settings: the cache of weights, the compute device.
OTHER_VARIABLES = frozenset({"MER_WEIGHTS_DIR", "MER_DEVICE"})

KeepPolicy = Literal["all", "features"]


class Settings(BaseSettings):
    """The settings of one process, built in `main` and passed down."""

    model_config = SettingsConfigDict(env_prefix="MER_", frozen=True, extra="forbid")

    home: Path = Field(Path("out"), description="folder of the embedded bus and store")
    port: int = Field(9100, ge=0, le=65535, description="port of /livez, /readyz and /metrics. 0 selects a free one")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    grace_seconds: float = Field(
        25, ge=0, le=31_536_000, description="seconds that running work may continue after SIGTERM"
    )
    retry_base_seconds: float = Field(
        0.5, gt=0, le=86_400, description="seconds before the first retry. The wait doubles each time"
    )
    retry_cap_seconds: float = Field(30, gt=0, le=31_536_000, description="longest wait between two attempts, seconds")
    surprise_attempts: int = Field(
        3, ge=1, le=100, description="attempts at a record that fails with an unexpected error or ends its process"
    )
    work_in_child: bool = Field(
        True, description="process records in a child process, which a faulty record cannot take the worker with"
    )
    work_seconds: float = Field(
        0,
        ge=0,
        le=7 * 86_400,
        description="seconds without progress after which the work on a record is ended. 0: 900, and 3600 for trainer "
        "and spotter",
    )
    work_memory_bytes: int = Field(
        0,
        ge=0,
        le=1 << 50,
        description="memory that the work on a record may take. 0: the container's or the machine's, less 256 MiB; "
        "with a GPU no limit",
    )
    dead_letters_datasets: int = Field(
        3,
        ge=0,
        le=1_000_000,
        description="stop the worker after dead letters of this many datasets with no record finished between them. "
        "0: never",
    )
    keep: KeepPolicy = Field(
        "all",
        description="arrays that stay in the store. features: only features and sources, from which the others can be "
        "computed again",
    )
    scratch: Path | None = Field(None, description="folder for unpacked and cached files. By default the system's /tmp")

    inbox_bucket: str = Field("datasets", description="bucket into which datasets are uploaded")
    videos_bucket: str = Field("videos", description="bucket into which videos to predict are uploaded")
    inbox_scan_seconds: float = Field(60, gt=0, le=31_536_000, description="seconds between two scans of an inbox")
    inbox_settle_seconds: float = Field(
        5, ge=0, le=31_536_000, description="seconds without new uploads before a dataset or a video is scanned"
    )
    inbox_patience_seconds: float = Field(
        300,
        ge=0,
        le=31_536_000,
        description="seconds without new uploads before a dataset with faulty clips counts as complete",
    )
    inbox_archive_files: int = Field(2_000_000, gt=0, le=100000000, description="maximum number of files in an archive")
    inbox_archive_bytes: int = Field(
        200 * 2**30, gt=0, le=2**50, description="maximum size of an unpacked archive, bytes"
    )

    train_poll_seconds: float = Field(
        5, gt=0, le=31_536_000, description="seconds between two checks for a dataset that is ready to train on"
    )

    api_port: int = Field(8080, ge=0, le=65535, description="port of the console. 0 selects a free one")
    api_host: str = Field("127.0.0.1", description="address on which the console listens. In a container 0.0.0.0")
    api_hosts: str = Field(
        "localhost,console",
        description="names by which clients may call the console, separated by commas. IP addresses are always "
        "accepted, `*` accepts every name",
    )
    api_token: SecretStr = Field(
        SecretStr(""),
        description="token of an administrator, which clients send as `Authorization: Bearer`. Empty, and nobody in "
        "MER_API_PEOPLE: no token is needed",
    )
    api_people: Path | None = Field(
        None,
        description="file of persons: NAME ROLE TOKEN on each line, or the token's SHA-256. A role is look, run or "
        "administer",
    )

    root_path: str = Field(
        "",
        pattern=r"^(/[A-Za-z0-9._~-]+)*$",
        description="path below which a proxy shows the console, such as /mer. Empty: it has an address of its own",
    )

    kafka_servers: str = Field(
        "", description="host:port of Kafka, several separated by commas. Empty: the embedded bus in MER_HOME"
    )
    kafka_prefix: str = Field("", description="prefix of topics and groups, for deployments that share a cluster")
    kafka_session_seconds: float = Field(
        45, gt=0, le=86_400, description="seconds without a heartbeat before a worker loses its partitions"
    )
    kafka_poll_interval_seconds: float = Field(
        60,
        gt=0,
        le=31_536_000,
        description="seconds without a poll before a worker loses its partitions. Work itself has no limit",
    )
    kafka_watchdog_seconds: float = Field(
        120, gt=0, le=31_536_000, description="seconds without a turn of its loop before a process ends itself"
    )
    kafka_tls: bool = Field(False, description="use TLS with Kafka")
    kafka_ca_file: str | None = Field(None, description="PEM file of the authority that signed Kafka's certificate")
    kafka_cert_file: str | None = Field(None, description="PEM file of the client's certificate, if Kafka requires one")
    kafka_key_file: str | None = Field(None, description="PEM file of the client's key")
    kafka_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="login mechanism. Empty: no login"
    )
    kafka_username: str | None = Field(None, description="user name for Kafka")
    kafka_password: SecretStr | None = Field(None, description="password for Kafka")

    service_passwords: SecretStr = Field(
        SecretStr(""),
        description="for the set-up alone: `service=password`, separated by commas. It creates a user of each service "
        "on MinIO, and on Kafka if that has logins. Empty: you create the users",
    )
    s3_endpoint: str = Field("", description="host:port of an S3 server. Empty: the embedded store in MER_HOME")
    s3_bucket: str = Field("mer", description="bucket of all artifacts")
    s3_access_key: str = Field("", description="access key for the S3 server")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="secret key for the S3 server")
    s3_region: str = Field("us-east-1", description="region for which requests are signed")
    s3_tls: bool = Field(True, description="use TLS with the S3 server")
    s3_path_style: bool = Field(True, description="put the bucket into the path. Off: into the host name")
    s3_ca_bundle: Path | None = Field(None, description="PEM file of trusted authorities. By default the system's")

    @model_validator(mode="after")
    def _require_store_credentials(self) -> "Settings":
        if self.s3_endpoint and not (self.s3_access_key and self.s3_secret_key.get_secret_value()):
            raise ValueError("MER_S3_ENDPOINT needs MER_S3_ACCESS_KEY and MER_S3_SECRET_KEY, which have no default")
        return self


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment. Raises Misconfigured for a wrong value and for an unknown MER_ variable."""
    known = {f"MER_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    unknown = sorted(name for name in os.environ if name.startswith("MER_") and name not in known)
    if unknown:
        raise Misconfigured(f"Unknown settings {', '.join(unknown)}. Known settings are {', '.join(sorted(known))}.")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        field, value, message = first_problem(error)
        if not field:  # a rule over several settings: the value would show the secrets
            raise Misconfigured(f"{message}.") from None
        raise Misconfigured(f"MER_{field.upper()}={value!r}: {message}.") from None
