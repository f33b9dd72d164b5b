"""Build the images of the stack, with what its tests build them with: `python -m tests.servers.stack_images`."""

import os
import subprocess
from pathlib import Path

from tests.servers import docker

ROOT = Path(__file__).parents[2]
BASE = "python:3.11-slim"  # any of this tag will do for the images built here


def build_environment() -> dict[str, str]:
    """The variables for `docker compose`: images of others as they lie here, and the authority that builds trust."""
    chosen = docker.images()
    if "@" in chosen["PYTHON_IMAGE"] and not docker.is_here(chosen["PYTHON_IMAGE"]) and docker.is_here(BASE):
        chosen["PYTHON_IMAGE"] = BASE
    # Builds trust what pip on this machine trusts; the file may lie outside the checkout.
    authority = os.environ.get("CA_BUNDLE") or os.environ.get("PIP_CERT", "docker/empty")
    return {**os.environ, **chosen, "CA_BUNDLE": authority, "BUILDX_BAKE_ENTITLEMENTS_FS": "0"}


if __name__ == "__main__":
    subprocess.run(["docker", "compose", "build"], cwd=ROOT, env=build_environment(), check=True)
