"""MinIO: the program out of its Docker image where an engine runs; else built once from its Go module into the user's
cache, since the project is archived and publishes no binary now."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml

from shared.records import json_digest
from tests.servers import docker
from tests.servers.process import CACHE, ServerMissing
from tests.servers.s3 import S3Server

# The newest that the Go module proxy serves: the project's last commit.
VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"


ROOT = Path(__file__).parents[2]


class MinioServer(S3Server):
    def speak_tls(self) -> None:
        """From its next start, with a certificate made as that of the stack in containers. Raises ServerMissing."""
        if shutil.which("openssl") is None:
            raise ServerMissing("A certificate is made by `openssl`, which is not on the PATH.")
        folder = self.folder / "certs"
        folder.mkdir()
        maker = yaml.safe_load((ROOT / "docker-compose.secure.yml").read_text())["services"]["store-certificate"]
        subprocess.run([*maker["entrypoint"], *maker["command"]], cwd=folder, check=True, capture_output=True)
        self.endpoint = replace(self.endpoint, secure=True, ca_bundle=folder / "public.crt")

    def command(self) -> list[str]:
        address, certificates = f"127.0.0.1:{self.port}", self.folder / "certs"
        return [
            str(binary()),
            "server",
            f"--address={address}",
            f"--certs-dir={certificates}",
            str(self.folder / "data"),
        ]

    def environment(self) -> Mapping[str, str]:
        return {
            "MINIO_ROOT_USER": self.endpoint.access_key,
            "MINIO_ROOT_PASSWORD": self.endpoint.secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",  # asks nobody whether there is a newer one
        }


def binary() -> Path:
    """The MinIO of this machine; made on first use (a build takes minutes), by one process at a time. Raises
    ServerMissing."""
    image = docker.usable("MINIO_IMAGE") if sys.platform == "linux" else None  # what is in it runs on Linux
    folder = CACHE / (f"minio-{json_digest(image)[:16]}" if image else f"minio-{VERSION}")
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / "minio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "minio").exists():
            _take_out(image, folder) if image else _build(folder)
    return folder / "minio"


def _take_out(image: str, folder: Path) -> None:
    """A program without libraries, so it runs as well without a container, where it can be killed and frozen."""
    made = subprocess.run(["docker", "create", image], check=True, capture_output=True, text=True).stdout.strip()
    try:
        subprocess.run(["docker", "cp", f"{made}:/usr/bin/minio", folder / "part"], check=True, capture_output=True)
    finally:
        subprocess.run(["docker", "rm", made], check=True, capture_output=True)
    (folder / "part").rename(folder / "minio")


def _build(folder: Path) -> None:
    if (go := shutil.which("go")) is None:
        raise ServerMissing(
            "MinIO is built from source and `go` (1.24 or newer) is not on the PATH; or give MERSTREAM_TEST_S3."
        )
    command = [go, "install", "-trimpath", "-ldflags=-s -w", f"github.com/minio/minio@{VERSION}"]
    environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
    built = subprocess.run(command, env=environment, capture_output=True, text=True)
    if built.returncode:
        raise ServerMissing(f"MinIO {VERSION} could not be built: {built.stderr.strip()[-500:]}")
