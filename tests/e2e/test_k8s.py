"""The local overlay on a real cluster: `make k8s-test`. Its images have to be where the nodes find them."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from merstream import synth
from shared.prediction.model import Prediction
from shared.store import LocalStore, Store
from shared.store.s3 import S3Store
from tests.servers import kustomize
from tests.servers.cluster import Cluster, asked_for

if not asked_for():
    pytest.skip("make k8s-test runs it", allow_module_level=True)

K8S = Path(__file__).parents[2] / "k8s"
MER = Path(__file__).parents[2] / ".venv/bin/mer"
IMAGE_STAGES = ("ingest", "interpolator", "magnifier", "flow", "roi-au")
KAFKA_PORT = 29092  # as the broker advertises it to who comes through a forward
KEYS = {"MER_S3_ACCESS_KEY": "demo-only", "MER_S3_SECRET_KEY": "demo-only-change-this-secret"}
SETTINGS = ["--set", "ingest.height=112", "--set", "ingest.width=96", "--set", "magnifier.factors=[2.0]"]
TRAINING = ["--model", "fmer-lite", "--epochs", "3", "--seed", "3"]


class Stack:
    """The system under test, as somebody sees it who drops datasets and reads reports."""

    def __init__(self, cluster: Cluster, store: S3Store, environment: dict[str, str]) -> None:
        self.cluster, self.store, self.environment = cluster, store, environment

    def mer(self, *arguments: str) -> str:
        done = subprocess.run([MER, *arguments], env={**os.environ, **self.environment}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def made(self, stage: str, dataset: str) -> int:
        """Artifacts of a stage so far."""
        return sum(key.endswith(".npz") for key in self._keys(f"{stage}/{dataset}/"))

    def report(self, dataset: str) -> dict[str, Any] | None:
        keys = [key for key in self._keys(f"reports/{dataset}/") if key.endswith("report.json")]
        assert len(keys) <= 1, "one run, one report"
        return dict(json.loads(self.store.get(keys[0]))) if keys else None

    def _keys(self, prefix: str) -> list[str]:
        try:
            return list(self.store.list_keys(prefix))
        except Exception:
            return []  # the forward is just being renewed


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster()
    cluster.apply(K8S, "local", tmp_path_factory.mktemp("overlay"))
    yield cluster
    if not os.environ.get("MERSTREAM_TEST_K8S_KEEP"):
        cluster.delete()


@pytest.fixture(scope="module")
def stack(cluster: Cluster) -> Iterator[Stack]:
    cluster.until(cluster.settled, "all pods ready")
    with (
        cluster.forwarded("store", 9000, _free_port()) as store,
        cluster.forwarded("kafka", KAFKA_PORT, KAFKA_PORT) as kafka,
    ):
        places = {"MER_S3_ENDPOINT": store, "MER_S3_TLS": "false", "MER_KAFKA_SERVERS": kafka}
        client = S3Store(store, "mer", *KEYS.values(), secure=False)
        yield Stack(cluster, client, {**places, **KEYS})


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "drawn"
    synth.write_dataset(folder, subjects=3, clips=4, seed=11)
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def embedded(drawn: Path, name: str, place: Path, settings: list[str]) -> tuple[dict[str, Any], Store]:
    """The report of the same dataset and settings, made by one process tree, and its store."""
    shutil.copytree(drawn, place / name)
    command = [MER, "run", place / name, "--out", place / "run", "--jobs", "1", *settings, *TRAINING]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads((place / "run/report/report.json").read_text()), LocalStore(place / "run/store")


def digests(store: Store, dataset: str) -> dict[str, str]:
    keys = [key for stage in ("source", *IMAGE_STAGES) for key in store.list_keys(f"{stage}/{dataset}/")]
    return {key: hashlib.sha256(store.get(key)).hexdigest() for key in keys if key.endswith(".npz")}


def figures(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in ("code", "folds")}


def test_the_report_of_a_dropped_dataset_is_the_embedded_runs(stack: Stack, drawn: Path, tmp_path: Path) -> None:
    stack.mer("drop", str(drawn), "--name", "one", *SETTINGS, *TRAINING)
    expected, store = embedded(drawn, "one", tmp_path, SETTINGS)
    report = wait_for_report(stack, "one")
    assert report is not None
    assert figures(report) == figures(expected)
    assert digests(stack.store, "one") == digests(store, "one")


def test_nothing_is_lost_or_doubled_when_pods_of_every_kind_go(stack: Stack, drawn: Path, tmp_path: Path) -> None:
    cluster, settings = stack.cluster, ["--set", "ingest.height=120", *SETTINGS[2:]]
    before = status(stack)
    stack.mer("drop", str(drawn), "--name", "two", *settings, *TRAINING)
    kill(cluster, "inbox")
    for stage in IMAGE_STAGES:
        cluster.until(lambda stage=stage: stack.made(stage, "two"), f"first artifact of {stage}")
        kill(cluster, stage)
        if stage == "magnifier":
            kill(cluster, "kafka")
        if stage == "flow":
            cluster.kubectl("rollout", "restart", "deployment")
    cluster.until(lambda: stack.made("roi-au", "two") == 12, "all features")
    kill(cluster, "planner")
    kill(cluster, "trainer")
    kill(cluster, "store")
    wait_for_report(stack, "two")
    cluster.until(cluster.settled, "no pod stuck")

    expected, store = embedded(drawn, "two", tmp_path, settings)
    report = wait_for_report(stack, "two")
    assert figures(report) == figures(expected)
    assert digests(stack.store, "two") == digests(store, "two")
    cluster.until(lambda: all(group["waiting"] == 0 for group in status(stack)["groups"]), "nothing waits")
    after = status(stack)
    assert [group["failed"] for group in after["groups"]] == [group["failed"] for group in before["groups"]]
    (two,) = [each for each in after["datasets"] if each["dataset"] == "two"]
    assert (two["found"], two["features"], two["left_out"]) == (12, 12, 0)


def test_a_dropped_video_is_predicted_when_its_pods_go(stack: Stack, tmp_path: Path) -> None:
    cluster = stack.cluster
    (truth,) = synth.write_long_videos(tmp_path, 1, 1, seed=4, seconds=10)
    stack.mer("drop", str(truth.with_suffix(".mp4")), "--name", "own.mp4")
    cluster.until(lambda: state_of_video(stack) == "watching", "the video's task")
    kill(cluster, "spotter")
    cluster.until(lambda: state_of_video(stack) in ("computing", "recognising", "predicted"), "the video's events")
    kill(cluster, "recogniser")
    kill(cluster, "planner")
    cluster.until(lambda: state_of_video(stack) == "predicted", "the prediction")
    cluster.until(cluster.settled, "no pod stuck")
    stack.mer("fetch", "own.mp4", "--to", str(tmp_path / "fetched"))
    found = Prediction.decode((tmp_path / "fetched" / "own.mp4" / "prediction.json").read_bytes())
    assert [event.failure for event in found.events] == [""] * len(found.events)
    subprocess.run([MER, "predict", truth.with_suffix(".mp4"), "--out", tmp_path / "own"], check=True)
    expected = Prediction.decode(next((tmp_path / "own").rglob("prediction.json")).read_bytes())
    assert (found.faces, found.events) == (expected.faces, expected.events)


def state_of_video(stack: Stack) -> str:
    return next((str(video["state"]) for video in status(stack)["videos"]), "")


def wait_for_report(stack: Stack, dataset: str) -> dict[str, Any]:
    """The report, as soon as it is there and the way to the store is: the way goes away with a pod of the store."""
    found: list[dict[str, Any]] = []
    stack.cluster.until(lambda: found.extend(filter(None, [stack.report(dataset)])) or found, "the report")
    return found[0]


def status(stack: Stack) -> dict[str, Any]:
    return dict(json.loads(stack.mer("status", "--json")))


def kill(cluster: Cluster, name: str) -> None:
    cluster.kubectl("delete", "pod", "--selector", f"app.kubernetes.io/name={name}", "--wait=false")


def test_the_api_server_takes_every_combination(cluster: Cluster, tmp_path: Path) -> None:
    mixer = kustomize.Mixer(K8S, tmp_path)
    built = [manifest for parts in kustomize.combinations() for manifest in mixer.build(parts)]
    built += [m for overlay in ("local", "gpu", "cluster") for m in kustomize.build(K8S / "overlays" / overlay)]
    for manifest in built:
        manifest["metadata"].pop("namespace", None)
    served = {line.split()[0] for line in cluster.kubectl("api-resources", "--no-headers", "-o=name").splitlines()}
    distinct = {json.dumps(m, sort_keys=True): m for m in built if m["kind"] != "Namespace"}.values()
    known = [m for m in distinct if _served(m, served)]
    assert cluster.refused(known) == ""
    if len(known) < len(list(distinct)):
        kinds = sorted({m["kind"] for m in distinct if not _served(m, served)})
        pytest.skip(f"all others are taken; this cluster does not know {', '.join(kinds)}")


def _served(manifest: dict[str, Any], resources: set[str]) -> bool:
    group = manifest["apiVersion"].rpartition("/")[0].partition("/")[0]
    kind = manifest["kind"].lower()
    return any(name.partition(".")[2] == group and name.startswith(kind[:-1]) for name in resources)
