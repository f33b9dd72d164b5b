"""A compose project for the tests, with ports and secrets of its own."""

import copy
import json
import subprocess
import sys
import urllib.parse
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import urllib3
from minio import Minio

from shared.settings import Settings
from tests.servers.process import free_port
from tests.servers.stack_images import build_environment

ROOT = Path(__file__).parents[2]
PORTS = ("KAFKA_PORT", "S3_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT", "API_PORT")


class Stack:
    """A compose project of its own, on ports of its own."""

    def __init__(self, folder: Path, **more: str) -> None:
        """Its secrets are made in `folder`. `more` is for its environment."""
        self.name = f"mer-e2e-{uuid.uuid4().hex[:8]}"
        self.ports = {name: str(free_port()) for name in PORTS}
        self.secrets = folder / "secrets"
        self.given = {**build_environment(), **self.ports, "SECRETS": str(self.secrets), **more}

    def command(self, *arguments: str) -> list[str]:
        return ["docker", "compose", "--project-name", self.name, *arguments]

    def compose(self, *arguments: str) -> str:
        command = self.command(*arguments)
        done = subprocess.run(command, cwd=ROOT, env=self.given, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def with_variables(self, **more: str) -> "Stack":
        """The same project, seen with other variables."""
        other = copy.copy(self)
        other.given = {**self.given, **more}
        return other

    def containers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.compose("ps", "--all", "--format", "json").splitlines()]

    def make_secrets(self) -> None:
        """As `make up` does."""
        subprocess.run([sys.executable, "docker/make_secrets.py", self.secrets], cwd=ROOT, env=self.given, check=True)

    def variables(self) -> dict[str, str]:
        """What the command `mer` reads, as the person's login."""
        return dict(line.split("=", 1) for line in (self.secrets / "mer.env").read_text().splitlines())

    def settings(self) -> Settings:
        return Settings(**{name.removeprefix("MER_").lower(): value for name, value in self.variables().items()})

    def open_client(self) -> Minio:
        """A plain S3 client."""
        given = self.variables()
        keys = given["MER_S3_ACCESS_KEY"], given["MER_S3_SECRET_KEY"]
        client = urllib3.PoolManager(ca_certs=given.get("MER_S3_CA_BUNDLE"))
        return Minio(given["MER_S3_ENDPOINT"], *keys, secure=given["MER_S3_TLS"] == "true", http_client=client)

    def ask_api(self, path: str) -> bytes:
        """An answer of the console's API. Raises HTTPError for a refusal."""
        url, token = f"http://127.0.0.1:{self.ports['API_PORT']}{path}", self.variables()["MER_API_TOKEN"]
        with urllib.request.urlopen(
            urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=30
        ) as answer:
            return bytes(answer.read())

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Prometheus' answer. Raises HTTPError for a query that it does not understand."""
        asked = urllib.parse.urlencode({"query": query})
        url = f"http://127.0.0.1:{self.ports['PROMETHEUS_PORT']}/api/v1/query?{asked}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found
