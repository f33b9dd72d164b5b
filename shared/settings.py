"""Operational settings, from the environment (`MER_*`): where things are and how a process behaves.

Science settings are not here; they travel in each record (`Pipeline`), so that a deployment serves many experiments.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import Misconfigured, first_problem

# Read where no Settings can be at hand: the cache of weights, the compute device.
OTHER_VARIABLES = frozenset({"MER_WEIGHTS_DIR", "MER_DEVICE"})


KeepPolicy = Literal["all", "features"]


class Settings(BaseSettings):
    """One process's settings; built in `main`, passed down."""

    model_config = SettingsConfigDict(env_prefix="MER_", frozen=True, extra="forbid")

    home: Path = Field(Path("out"), description="folder of the embedded bus and store")
    port: int = Field(9100, ge=0, le=65535, description="port of /livez, /readyz and /metrics; 0 picks a free one")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    grace_seconds: float = Field(25, ge=0, description="seconds that work may go on after SIGTERM")
    retry_base_seconds: float = Field(0.5, gt=0, description="first wait after trouble, seconds; doubles")
    retry_cap_seconds: float = Field(30, gt=0, description="longest wait between two attempts, seconds")
    surprise_attempts: int = Field(3, ge=1, description="attempts at a record that fails in a way nobody foresaw")
    dead_letters_consecutive: int = Field(
        20, ge=0, description="messages in a row that a worker may bury before it halts; 0: no limit"
    )
    dead_letters_ratio: float = Field(
        0.5, ge=0, le=1, description="part of its last 100 messages that a worker may bury before it halts; 0: no limit"
    )
    keep: KeepPolicy = Field(
        "all",
        description="arrays that stay in the store: all, or the features and the sources that the others can be "
        "computed from again",
    )
    scratch: Path | None = Field(None, description="folder for what is unpacked or cached; default the system's /tmp")

    inbox_bucket: str = Field("datasets", description="bucket that datasets are dropped into")
    inbox_scan_seconds: float = Field(60, gt=0, description="seconds between two scans of the inbox")
    inbox_settle_seconds: float = Field(5, ge=0, description="a dataset is looked at when nothing came for so long")
    inbox_patience_seconds: float = Field(
        300, ge=0, description="a dataset with faulty clips counts as complete when nothing came for so long"
    )
    inbox_archive_files: int = Field(2_000_000, gt=0, description="most files that a dropped archive may hold")
    inbox_archive_bytes: int = Field(200 * 2**30, gt=0, description="most bytes that a dropped archive may unpack to")

    train_poll_seconds: float = Field(5, gt=0, description="seconds between two looks for a dataset ready to train on")

    api_port: int = Field(0, ge=0, le=65535, description="port of the trainer's API; 0: there is none")
    api_host: str = Field("127.0.0.1", description="address that the API is bound to; in a container 0.0.0.0")
    api_token: SecretStr = Field(
        SecretStr(""), description="what clients of the API send as `Authorization: Bearer`; empty: nobody is asked"
    )

    kafka_servers: str = Field(
        "", description="host:port of Kafka, several with commas; empty: the embedded bus in home"
    )
    kafka_prefix: str = Field("", description="put before topics and groups, where deployments share a cluster")
    kafka_session_seconds: float = Field(45, gt=0, description="a worker silent for so long loses its partitions")
    kafka_poll_interval_seconds: float = Field(
        60, gt=0, description="a worker whose loop stands still for so long loses its partitions; no limit on work"
    )
    kafka_watchdog_seconds: float = Field(120, gt=0, description="a process whose loop stands still so long ends")
    kafka_tls: bool = Field(False, description="speak TLS with Kafka")
    kafka_ca_file: str | None = Field(None, description="PEM file of the authority that signed Kafka's certificate")
    kafka_cert_file: str | None = Field(
        None, description="PEM file of the client's certificate, where Kafka asks for one"
    )
    kafka_key_file: str | None = Field(None, description="PEM file of the client's key")
    kafka_sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(None, description="how to log in")
    kafka_username: str | None = Field(None, description="user name at Kafka")
    kafka_password: SecretStr | None = Field(None, description="password at Kafka")

    s3_endpoint: str = Field("", description="host:port of an S3 server; empty: the embedded store in home")
    s3_bucket: str = Field("mer", description="bucket of all artifacts")
    s3_access_key: str = Field("", description="access key at the S3 server")
    s3_secret_key: SecretStr = Field(SecretStr(""), description="secret key at the S3 server")
    s3_region: str = Field("us-east-1", description="region that requests are signed for")
    s3_tls: bool = Field(True, description="speak TLS with the S3 server")
    s3_path_style: bool = Field(True, description="bucket in the path; off: in the host name")
    s3_ca_bundle: Path | None = Field(None, description="PEM file of trusted authorities; default the system's")

    @model_validator(mode="after")
    def _require_store_credentials(self) -> "Settings":
        if self.s3_endpoint and not (self.s3_access_key and self.s3_secret_key.get_secret_value()):
            raise ValueError("MER_S3_ENDPOINT needs MER_S3_ACCESS_KEY and MER_S3_SECRET_KEY; they have no default")
        return self


def load_settings(**overrides: Any) -> Settings:
    """Settings from the environment. Raises Misconfigured for a wrong value and for an unknown MER_ variable."""
    known = {f"MER_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    unknown = sorted(name for name in os.environ if name.startswith("MER_") and name not in known)
    if unknown:
        raise Misconfigured(f"Unknown settings {', '.join(unknown)}; known are {', '.join(sorted(known))}.")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        field, value, message = first_problem(error)
        if not field:  # a rule over several settings: the value would show the secrets
            raise Misconfigured(f"{message}.") from None
        raise Misconfigured(f"MER_{field.upper()}={value!r}: {message}.") from None
