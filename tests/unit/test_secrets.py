"""The secrets that `make up` makes: for every container, once, and for nobody else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from shared.bus.topics import TOPIC_BY_GROUP
from shared.errors import Misconfigured
from shared.service_access import ACCESS, NOTIFIER, PERSON, USER_PREFIX, parse_passwords

ROOT = Path(__file__).parents[2]
CONTAINERS = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make(tmp_path / "secrets")
    return tmp_path / "secrets"


def make(folder: Path, **environment: str) -> None:
    """As `make up` does: a Python without packages."""
    command = [sys.executable, "-S", "docker/make_secrets.py", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, **environment})


def variables(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines())


def test_every_container_that_asks_for_secrets_has_its_own(folder: Path) -> None:
    asking = {name for name, container in CONTAINERS.items() if "env_file" in container}
    assert {file.stem for file in folder.iterdir()} == asking | {"kafka", "mer", "api", "notifier"}
    passwords = parse_passwords(variables(folder / "init.env")["MER_SERVICE_PASSWORDS"])
    assert passwords.keys() == ACCESS.keys()
    assert len({*passwords.values()}) == len(passwords)
    for service in asking - {"init", "minio"}:
        given = variables(folder / f"{service}.env")
        assert (given["MER_S3_ACCESS_KEY"], given["MER_S3_SECRET_KEY"]) == (USER_PREFIX + service, passwords[service])
        assert (given["MER_KAFKA_USERNAME"], given["MER_KAFKA_PASSWORD"]) == (USER_PREFIX + service, passwords[service])
    assert variables(folder / "mer.env")["MER_S3_SECRET_KEY"] == passwords[PERSON]
    root = variables(folder / "minio.env")
    assert root["MINIO_ROOT_PASSWORD"] == variables(folder / "init.env")["MER_S3_SECRET_KEY"]
    assert root["MINIO_NOTIFY_KAFKA_SASL_PASSWORD_MER"] == passwords[NOTIFIER]


def test_a_secret_is_in_the_files_that_need_it(folder: Path) -> None:
    root, token = variables(folder / "minio.env")["MINIO_ROOT_PASSWORD"], variables(folder / "mer.env")["MER_API_TOKEN"]
    holders = {
        secret: {file.stem for file in folder.iterdir() if secret in file.read_text()} for secret in (root, token)
    }
    assert holders == {root: {"minio", "init", "kafka"}, token: {"console", "mer", "api"}}


def test_nobody_else_reads_them(folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_a_secret_stays_at_the_next_start_and_a_lost_file_comes_back(folder: Path) -> None:
    before = {file.name: file.read_text() for file in folder.iterdir()}
    (folder / "flow.env").unlink()
    make(folder)
    assert {file.name: file.read_text() for file in folder.iterdir()} == before


def test_after_an_upgrade_a_service_that_is_no_more_has_no_password(folder: Path) -> None:
    file = folder / "init.env"
    before = file.read_text()
    file.write_text(before.replace("MER_SERVICE_PASSWORDS=", "MER_SERVICE_PASSWORDS=former=secret,"))
    make(folder)
    assert file.read_text() == before


def test_mer_speaks_tls_with_servers_that_do(folder: Path) -> None:
    assert "MER_KAFKA_TLS" not in variables(folder / "mer.env")
    make(folder, COMPOSE_FILE="docker-compose.yml:docker-compose.secure.yml", KAFKA_PORT="1234")
    given = variables(folder / "mer.env")
    assert (given["MER_KAFKA_TLS"], given["MER_KAFKA_SERVERS"]) == ("true", "127.0.0.1:1234")
    assert given["MER_KAFKA_CA_FILE"] == str(folder.resolve() / "ca.crt")
    assert (given["MER_S3_TLS"], given["MER_S3_CA_BUNDLE"]) == ("true", str(folder.resolve() / "store.crt"))


@pytest.mark.parametrize("text", ["flow", "flow=", "somebody=x", "flow=x,=y"])
def test_passwords_of_others_are_refused_and_not_shown(text: str) -> None:
    with pytest.raises(Misconfigured, match=r"MER_SERVICE_PASSWORDS: .* got 1 parts") as refusal:
        parse_passwords(text)
    assert "x" not in str(refusal.value).split("got")[1]


def test_every_group_has_a_service_that_may_read_its_topic() -> None:
    for group, topic in TOPIC_BY_GROUP.items():
        assert group in ACCESS[group].groups
        assert topic in {each.name for each in ACCESS[group].consumes}
