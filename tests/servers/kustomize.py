"""Kustomize as of this machine: kubectl's own, or built once from its Go module into the user's cache."""

import fcntl
import itertools
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.servers.process import CACHE, ServerMissing

VERSION = "v5.7.1"


def build(folder: Path) -> list[dict[str, Any]]:
    """The manifests of a kustomization. Raises AssertionError with what kustomize dislikes, ServerMissing."""
    built = subprocess.run([*command(), str(folder)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return [document for document in yaml.safe_load_all(built.stdout) if document]


@cache
def command() -> tuple[str, ...]:
    """What prints a folder's manifests."""
    if kubectl := shutil.which("kubectl"):
        return (kubectl, "kustomize")
    return (shutil.which("kustomize") or str(_binary()), "build")


def _binary() -> Path:
    """Built on first use, by one process at a time."""
    folder = CACHE / f"kustomize-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / "kustomize.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "kustomize").exists():
            _install(folder)
    return folder / "kustomize"


def _install(folder: Path) -> None:
    if (go := shutil.which("go")) is None:
        raise ServerMissing("No `kubectl`, no `kustomize` and no `go` (1.24 or newer) to build it with on the PATH.")
    environment = {**os.environ, "GOBIN": str(folder), "CGO_ENABLED": "0"}
    command = [go, "install", "-trimpath", f"sigs.k8s.io/kustomize/kustomize/v5@{VERSION}"]
    built = subprocess.run(command, env=environment, capture_output=True, text=True)
    if built.returncode:
        raise ServerMissing(f"Kustomize {VERSION} could not be built: {built.stderr.strip()[-500:]}")


class Mixer:
    """Builds the base with components, in a copy beside which nothing else lies."""

    def __init__(self, k8s: Path, place: Path) -> None:
        self.place = place
        for folder in ("base", "components"):
            shutil.copytree(k8s / folder, place / folder)

    def build(self, parts: tuple[str, ...]) -> list[dict[str, Any]]:
        folder = self.place / "-".join(("mix", *parts))
        folder.mkdir()
        content = {"resources": ["../base"], "components": [f"../components/{part}" for part in parts]}
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return build(folder)


KAFKA = ("kafka", "strimzi", "kafka-login")  # one of them at most
SCALING = ("keda", "hpa")  # likewise
OTHERS = ("store", "gpu", "gpu-flow", "gpu-magnet", "monitoring", "network-policies", "namespace", "ingress")
LOGINS = ("kafka-login", "keda", "keda-login", "service-logins")


def combinations() -> list[tuple[str, ...]]:
    """Each component alone, each two that go together, all of them at once, and what logins need."""
    every = (*KAFKA, *SCALING, *OTHERS)
    pairs = [
        pair for pair in itertools.combinations(every, 2) if not (set(pair) <= set(KAFKA) or set(pair) <= set(SCALING))
    ]
    full = [(kafka, scaling, *OTHERS) for kafka in KAFKA for scaling in SCALING]
    secured = [(*LOGINS, *OTHERS), ("store", "strimzi", *LOGINS), ("service-logins",)]
    return [(), *((part,) for part in every), *pairs, *full, *secured]


def some_combinations() -> list[tuple[str, ...]]:
    """Each component by itself, each Kafka and way of scaling with all others."""
    singles = [parts for parts in combinations() if len(parts) == 1]
    full = [parts for parts in combinations() if set(OTHERS) < set(parts)]
    return singles + full
