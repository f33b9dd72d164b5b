"""Secrets for a stack in containers, made at its first start: `python3 docker/make_secrets.py FOLDER`.

One file of variables per container, readable by this user alone, `mer.env` for the command `mer`, and `api.header` for
curl. It needs nothing but Python. Secrets that exist stay, so it may run before each start.
"""

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path

# As in shared/service_access.py, which this script can't import: `make up` needs no packages.
SERVICES = (
    *("inbox", "withdrawal", "ingest", "spotter", "interpolator", "magnifier", "flow", "roi-au", "planner", "console"),
    *("trainer", "recogniser", "notifier", "person"),
)
USER_PREFIX = "mer-"
ADMINISTRATOR = USER_PREFIX + "setup"
_PASSWORDS, _OWN, _TOKEN = "MER_SERVICE_PASSWORDS", "MER_S3_SECRET_KEY", "MER_API_TOKEN"
_PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


def make_secrets(folder: Path, addresses: Mapping[str, str]) -> None:
    """Write the files. `addresses` are settings with which tools of this machine find the stack."""
    folder.mkdir(mode=0o700, exist_ok=True)
    known, person = _read_variables(folder / "init.env"), _read_variables(folder / "mer.env")
    kept = dict(part.split("=") for part in known.get(_PASSWORDS, "").split(",") if part)
    passwords = {service: kept.get(service) or secrets.token_hex(20) for service in SERVICES}
    administrator = known.get(_OWN) or secrets.token_hex(20)
    token = {_TOKEN: person.get(_TOKEN) or secrets.token_hex(20)}
    logins = {service: _login_variables(USER_PREFIX + service, password) for service, password in passwords.items()}
    notifier = dict(zip(("USERNAME", "PASSWORD"), (f"{USER_PREFIX}notifier", passwords["notifier"]), strict=True))
    files = {
        **{service: login for service, login in logins.items() if service != "person"},
        "console": logins["console"] | token,
        "mer": {**addresses, **logins["person"], **token},
        "minio": {
            "MINIO_ROOT_USER": ADMINISTRATOR,
            "MINIO_ROOT_PASSWORD": administrator,
            **{f"MINIO_NOTIFY_KAFKA_SASL_{name}_MER": value for name, value in notifier.items()},
        },
        "kafka": {
            f"KAFKA_LISTENER_NAME_{listener}_PLAIN_SASL_JAAS_CONFIG": _administrator_login(administrator)
            for listener in ("INTERNAL", "HOST")
        },
        # Last: it has the passwords of all, so the others can be made again from it.
        "init": {
            **_login_variables(ADMINISTRATOR, administrator),
            _PASSWORDS: ",".join(f"{service}={password}" for service, password in passwords.items()),
        },
    }
    for name, variables in files.items():
        _write_private(folder / f"{name}.env", "".join(f"{key}={value}\n" for key, value in variables.items()))
    _write_private(folder / "api.header", f"Authorization: Bearer {token[_TOKEN]}\n")


def _login_variables(user: str, password: str) -> dict[str, str]:
    """One password for both servers. Kafka's is used only where Kafka has logins."""
    servers = {"MER_S3_ACCESS_KEY": user, _OWN: password}
    return {**servers, "MER_KAFKA_USERNAME": user, "MER_KAFKA_PASSWORD": password}


def _administrator_login(password: str) -> str:
    return f'{_PLAIN_LOGIN} required user_{ADMINISTRATOR}="{password}";'


def _read_variables(file: Path) -> dict[str, str]:
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _write_private(file: Path, text: str) -> None:
    """Never readable by others, and whole or as before."""
    part = file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    part.replace(file)


def main() -> None:
    ports = {**_read_variables(Path(".env")), **os.environ}
    folder = Path(sys.argv[1])
    addresses = {
        "MER_KAFKA_SERVERS": f"127.0.0.1:{ports['KAFKA_PORT']}",
        "MER_S3_ENDPOINT": f"127.0.0.1:{ports['S3_PORT']}",
        "MER_S3_TLS": "false",
    }
    if "docker-compose.secure.yml" in os.environ.get("COMPOSE_FILE", ""):
        kafka, store = (str(folder.resolve() / name) for name in ("ca.crt", "store.crt"))
        addresses |= {"MER_KAFKA_TLS": "true", "MER_KAFKA_CA_FILE": kafka, "MER_KAFKA_SASL": "SCRAM-SHA-512"}
        addresses |= {"MER_S3_TLS": "true", "MER_S3_CA_BUNDLE": store}
    make_secrets(folder, addresses)


if __name__ == "__main__":
    main()
