"""A namespace of the Kubernetes cluster in $KUBECONFIG with an overlay in it, thrown away afterwards."""

import json
import os
import shutil
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.servers import docker

PATIENCE_SECONDS = 1800


def asked_for() -> bool:
    """`make k8s-test` sets it: nobody's cluster is used for being in the environment."""
    return bool(os.environ.get("MERSTREAM_TEST_K8S"))


class Cluster:
    """kubectl in a namespace of our own."""

    def __init__(self) -> None:
        self.namespace = f"merstream-{uuid.uuid4().hex[:6]}"

    def kubectl(self, *arguments: str, given: str | None = None) -> str:
        """What it prints. Raises AssertionError with what it complains of."""
        command = ["kubectl", "--namespace", self.namespace, *arguments]
        done = subprocess.run(command, input=given, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def refused(self, manifests: Iterable[Mapping[str, Any]]) -> str:
        """What the API server has to say against them, in a dry run; warnings included."""
        command = ["kubectl", "--namespace", self.namespace, "apply", "--dry-run=server", "-f", "-"]
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        said = subprocess.run(command, input=listed, capture_output=True, text=True).stderr
        return "\n".join(line for line in said.splitlines() if "version difference" not in line)

    def objects(self, kind: str) -> list[dict[str, Any]]:
        return list(json.loads(self.kubectl("get", kind, "--output", "json"))["items"])

    def apply(self, k8s: Path, overlay: str, place: Path) -> None:
        """The overlay as it is, in our namespace. Images of others are those that compose's tests take."""
        shutil.copytree(k8s, place / "k8s", dirs_exist_ok=True)
        ours = place / "k8s" / "overlays" / "ours"
        ours.mkdir()
        (ours / "kustomization.yaml").write_text(
            yaml.safe_dump(
                {"namespace": self.namespace, "resources": [f"../{overlay}"], "images": list(_images_of_others())}
            )
        )
        self.kubectl("apply", "--kustomize", str(ours))

    def until(self, done: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, f"{what}: not yet\n{self.kubectl('get', 'pods')}\n{self.events()}"
            time.sleep(2)

    def events(self) -> str:
        return self.kubectl("get", "events", "--sort-by", ".lastTimestamp")[-5000:]

    def settled(self) -> bool:
        """Every workload at its newest revision with all pods ready, and no pod on its way out."""
        workloads = self.objects("deployments") + self.objects("statefulsets")
        pods = self.objects("pods")
        return all(map(_rolled_out, workloads)) and not any("deletionTimestamp" in pod["metadata"] for pod in pods)

    def delete(self) -> None:
        self.kubectl("delete", "namespace", self.namespace, "--wait=false", "--ignore-not-found")

    @contextmanager
    def forwarded(self, service: str, port: int, local: int) -> Iterator[str]:
        """`host:port` of this machine that reaches a service; restarted when the pod behind it goes."""
        stopping = threading.Event()
        command = ["kubectl", "--namespace", self.namespace, "port-forward", f"service/{service}", f"{local}:{port}"]

        def forward() -> None:
            while not stopping.is_set():
                process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                while process.poll() is None and not stopping.wait(0.5):
                    pass
                process.terminate()
                process.wait()

        thread = threading.Thread(target=forward)
        thread.start()
        yield f"127.0.0.1:{local}"
        stopping.set()
        thread.join()


def _images_of_others() -> Iterator[dict[str, str]]:
    """Where a digest is not to be had, the tag."""
    for image in docker.images().values():
        name, _, tag = image.rpartition(":") if "@" not in image else ("", "", "")
        if name:
            yield {"name": name, "newTag": tag}


def _rolled_out(workload: Mapping[str, Any]) -> bool:
    status, wanted = workload["status"], workload["spec"]["replicas"]
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
    return status.get("observedGeneration") == workload["metadata"]["generation"] and counts == [wanted] * 3
