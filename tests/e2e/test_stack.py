"""`docker compose up` for real: a dataset is dropped with a plain S3 client, the report is the embedded one.

Run by `make e2e`. Images of others are taken as they lie here under their plain tag, else pulled by digest.
"""

import gc
import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from merstream import synth
from merstream.embedded.run_folder import Workspace
from shared.bus import Message
from shared.bus.topics import TOPIC_BY_GROUP, dead_letter_topic, topic_by_short_name
from shared.connect import open_bus, open_store
from shared.errors import Unavailable
from shared.letter_selection import gather_letters, letter_id
from shared.prediction.model import Prediction
from shared.records import RunResult
from shared.run_contents import RunContents
from shared.store import Store
from shared.video_records import PredictionResult
from tests.docs.pages import blocks_of, commands_of, pages_with
from tests.e2e.compose_stack import ROOT, Stack
from tests.unit.conftest import chromium
from tests.unit.console.pages.walk import ConsoleWalk

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["chromium"]

# Kafka's client leaves connections that TLS has closed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning")

PATIENCE_SECONDS = 1800
STAGES = {"ingest", "interpolator", "magnifier", "flow", "roi-au"}
WORKERS = STAGES | {"inbox", "withdrawal", "spotter", "planner", "trainer", "recogniser", "console"}
SMALL = {"ingest": {"height": 112, "width": 96}, "magnifier": {"factors": [2.0]}}
TRAIN = {"epochs": 2, "seed": 7}
VIDEO_SEED = 4


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """With Kafka's logins and every service's own key: what works here works with fewer rules."""
    started = Stack(tmp_path_factory.mktemp("stack"), COMPOSE_FILE="docker-compose.yml:docker-compose.secure.yml")
    started.make_secrets()
    try:
        started.compose("build")
        started.compose("up", "--detach", "--no-build", "--wait")
        started.compose("cp", "kafka:/tls/ca.crt", str(started.secrets / "ca.crt"))
        started.compose("cp", "minio:/store-tls/public.crt", str(started.secrets / "store.crt"))
        yield started
    finally:
        print(started.compose("logs", "--no-color", "--tail", "20"))
        started.compose("down", "--volumes", "--remove-orphans", "--timeout", "30")
        gc.collect()


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "drawn"
    synth.write_dataset(folder, subjects=3, clips=2, seed=1)
    return folder


@pytest.fixture(scope="module")
def embedded(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The same dataset in one process tree, to the report."""
    return run_embedded(dataset, tmp_path_factory.mktemp("out"), SMALL)


def run_embedded(dataset: Path, out: Path, overrides: dict[str, dict[str, Any]]) -> Workspace:
    fields = [(stage, *field) for stage, fields in overrides.items() for field in fields.items()]
    settings = [word for stage, name, value in fields for word in ("--set", f"{stage}.{name}={json.dumps(value)}")]
    train = ["--epochs", str(TRAIN["epochs"]), "--seed", str(TRAIN["seed"])]
    command = [sys.executable, "-m", "merstream", "run", str(dataset), "--out", str(out), *train, *settings]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Workspace(out)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten seconds of a drawn face."""
    synth.write_long_videos(tmp_path_factory.mktemp("videos"), 1, 1, seed=VIDEO_SEED, seconds=10)
    return next(tmp_path_factory.getbasetemp().rglob("video01.mp4"))


@pytest.fixture(scope="module")
def predicted(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Prediction:
    """The same video by `mer predict`."""
    out = tmp_path_factory.mktemp("predicted")
    command = [sys.executable, "-m", "merstream", "predict", str(video), "--out", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return Prediction.decode(next(out.rglob("prediction.json")).read_bytes())


def test_every_container_is_healthy(stack: Stack) -> None:
    states = {each["Service"]: (each["State"], each["Health"], each["ExitCode"]) for each in stack.containers()}
    assert [states.pop(once) for once in ("init", "certificate", "store-certificate")] == [("exited", "", 0)] * 3
    assert states == dict.fromkeys(WORKERS | {"kafka", "minio", "prometheus"}, ("running", "healthy", 0))


@pytest.mark.parametrize("service", sorted(WORKERS))
def test_a_service_is_nobody_and_writes_nothing_of_its_own(stack: Stack, service: str) -> None:
    tried = "import os, pathlib; print(os.getuid()); pathlib.Path('/scratch/x').touch(); pathlib.Path('/app/x').touch()"
    run = stack.command("exec", "-T", service, "python", "-c", tried)
    done = subprocess.run(run, cwd=ROOT, env=stack.given, capture_output=True, text=True)
    assert done.stdout.strip() == "10001"
    assert "Read-only file system: '/app/x'" in done.stderr


def test_a_dropped_dataset_gives_the_embedded_report_whatever_is_killed_meanwhile(
    stack: Stack, dataset: Path, embedded: Workspace
) -> None:
    drop(stack, dataset)
    wait(lambda: bool(latest(stack, topic_by_short_name("interpolated").name)), "the interpolator's first record")
    kill(stack, "flow")
    stack.compose("restart", "kafka")
    wait(lambda: bool(results(stack)), "the report")
    (result,) = results(stack)
    store = open_store(stack.settings())
    assert (result.status, result.reason) == ("done", "")
    assert [reason for group in TOPIC_BY_GROUP for reason in latest(stack, dead_letter_topic(group).name)] == []
    assert digests(store) == digests(embedded.open_store())
    run, own = store.get(result.files["run.json"]), (embedded.report_folder / "run.json").read_bytes()
    assert RunContents.decode(run).data == RunContents.decode(own).data, "both say that they are of the same clips"
    for name, key in result.files.items():
        if name != "run.json":  # when and by which process it was started is not the same
            assert store.get(key) == (embedded.report_folder / name).read_bytes(), name


def test_a_dropped_video_comes_out_as_the_embedded_prediction_whatever_is_killed_meanwhile(
    stack: Stack, video: Path, predicted: Prediction
) -> None:
    client = stack.open_client()
    client.fput_object(stack.settings().videos_bucket, f"visit 3/{video.name}", str(video))
    wait(lambda: bool(latest(stack, "mer.videos")), "the video's task")
    kill(stack, "spotter")
    wait(lambda: bool(latest(stack, "mer.spotted")), "the video's events")
    kill(stack, "recogniser")
    wait(lambda: bool(latest(stack, "mer.predictions")), "the prediction")
    (message,) = latest(stack, "mer.predictions").values()
    result, store = PredictionResult.decode(message.value), open_store(stack.settings())
    found = Prediction.decode(store.get(result.files["prediction.json"]))
    assert [reason for group in TOPIC_BY_GROUP for reason in latest(stack, dead_letter_topic(group).name)] == []
    assert found.faces == predicted.faces
    assert found.events == predicted.events
    assert found.model == predicted.model
    assert len(found.faces) == 1
    assert result.recognised == len(found.events) > 0
    assert len(results(stack)) == 1, "no training was started for it"


def test_the_api_has_the_report_too(stack: Stack) -> None:
    (run,) = json.loads(stack.ask_api("/runs"))
    assert run["state"] == "done"
    assert stack.ask_api(run["files"]["report.json"]) == open_store(stack.settings()).get(
        results(stack)[0].files["report.json"]
    )
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(f"http://127.0.0.1:{stack.ports['API_PORT']}/runs", timeout=30)


def test_what_was_killed_is_back(stack: Stack) -> None:
    killed = [each["ID"] for each in stack.containers() if each["Service"] in ("flow", "spotter", "recogniser")]
    count = ["docker", "inspect", "--format", "{{.RestartCount}}", *killed]
    assert subprocess.run(count, capture_output=True, text=True, check=True).stdout.split() == ["1"] * 3
    wait(lambda: all(each["Health"] in ("", "healthy") for each in stack.containers()), "health")
    test_every_container_is_healthy(stack)


def test_prometheus_has_figures_of_every_service(stack: Stack) -> None:
    wait(
        lambda: {found["metric"]["job"] for found in stack.ask('count by (job) ({__name__=~"mer_.*"})')} == WORKERS,
        "figures of every service",
    )
    wait(lambda: len(stack.ask('sum by (stage) (mer_records_total{outcome="computed"})')) >= 5, "five stages' records")


def test_prometheus_understands_every_panel(stack: Stack) -> None:
    board = json.loads((ROOT / "k8s" / "components" / "monitoring" / "merstream.json").read_text())
    queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    answers = {query: stack.ask(query.replace("$namespace", ".*")) for query in queries}
    assert len(answers) > 10
    assert any(answers[query] for query in queries if "mer_records_total" in query)


# In this order: the last but one starts the dataset anew, with other settings, and the last removes it.
NAMES = (
    *("predict-on-a-stack", "training-over-http", "compose", "dead-letters", "upload-a-dataset"),
    "forget-personal-data",
)
PAGES = [f"docs/how-to/{name}.md" for name in NAMES]


def test_every_page_with_commands_for_a_stack_is_run() -> None:
    assert sorted(PAGES) == sorted(pages_with("sh stack"))


@pytest.mark.parametrize("page", PAGES)
def test_commands_of_the_docs_run_on_the_stack(
    stack: Stack, dataset: Path, video: Path, page: str, tmp_path: Path
) -> None:
    """As they are written, with names in place of the placeholders and this stack's ports."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "secrets").symlink_to(stack.secrets)
    if "dead-letters" in page:
        with closing(open_bus(stack.settings())) as bus:
            bus.publish(topic_by_short_name("clips").name, "nonsense", b"no record")
    for block in blocks_of(page):
        for words in commands_of(block.code) if block.tag == "sh stack" else ():
            if "grafana" not in words:  # its image may not be here
                run_command_of_docs(stack, dataset, video, words, tmp_path)


def run_command_of_docs(stack: Stack, dataset: Path, video: Path, words: list[str], folder: Path) -> None:
    kind = "letter" if "dead-letters" in words else "run"
    values = {"DATASET": str(dataset), "NAME": dataset.name, "VIDEO": str(video)}
    values |= {"GROUP": "interpolator", "8080": stack.ports["API_PORT"]}
    if any(word.split("/")[-1] == "ID" or "/ID/" in word for word in words):
        values["ID"] = outstanding_letter(stack) if kind == "letter" else finished_run(stack)
    if "forget" in words:
        words, values["VIDEO"], values["SUBJECT"] = [*words, "--yes"], video.name, "01"
    if "status" in words:
        words = [word for word in words if word != "--watch"]  # it ends with Ctrl-C alone
    for name, value in values.items():
        words = [re.sub(rf"\b{name}\b", lambda _, value=value: value, word) for word in words]
    environment = {**stack.given, "COMPOSE_PROJECT_NAME": stack.name}
    place = ROOT if words[0] == "docker" else folder
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    if words[0] == "curl" and "-O" not in words:
        assert "detail" not in json.loads(done.stdout), "an answer of the API, no refusal"


def outstanding_letter(stack: Stack) -> str:
    """The id of a dead letter. A replayed one is there again when its message has failed again."""
    found: list[str] = []

    def look() -> bool:
        with closing(open_bus(stack.settings())) as bus:
            found.extend(map(letter_id, gather_letters(bus, open_store(stack.settings()), "interpolator")))
        return bool(found)

    wait(look, "a dead letter")
    return found[-1]


def finished_run(stack: Stack) -> str:
    return next(result.run for result in results(stack) if result.status == "done")


def test_the_learned_magnifier_comes_with_its_layer(stack: Stack, tmp_path: Path) -> None:
    """The image with torch and the shipped weights, on the network that leads nowhere: the embedded run's bytes."""
    learned = {"magnifier": {"method": "magnet", "factors": [2.0], "shape_maps": True}}
    synth.write_dataset(tmp_path / "learned", subjects=2, clips=2, seed=2)
    embedded = run_embedded(tmp_path / "learned", tmp_path / "out", SMALL | learned)
    layers = stack.given["COMPOSE_FILE"] + ":docker-compose.magnet.yml"
    layered = stack.with_variables(COMPOSE_FILE=layers, TAG="magnet")
    layered.compose("build", "magnifier")
    layered.compose("up", "--detach", "--no-build", "--no-deps", "--wait", "magnifier")
    drop(stack, tmp_path / "learned", SMALL | learned)
    own, store = digests(embedded.open_store()), open_store(stack.settings())
    wait(lambda: all(store.exists(key) for key in own), "the features")
    found = digests(store)
    assert {key: found[key] for key in own} == own
    assert sum(key.startswith("magnifier/") for key in own) == 4


def test_a_person_does_everything_in_a_browser(
    stack: Stack, dataset: Path, video: Path, tmp_path: Path, chromium: "Browser"
) -> None:
    """A dataset of its own, so that no other test meets its runs."""
    folder = tmp_path / "by-browser"
    shutil.copytree(dataset, folder)
    (folder / "merstream.json").write_text(json.dumps({"overrides": SMALL, "train": TRAIN}))
    page = chromium.new_page()
    walk = ConsoleWalk(page, f"http://127.0.0.1:{stack.ports['API_PORT']}", PATIENCE_SECONDS)
    walk.log_in(stack.variables()["MER_API_TOKEN"])
    walk.upload_dataset(folder)
    walk.wait_for_features(clips=6)
    walk.look_at_clip(folder.name)
    walk.read_report(folder.name)
    walk.start_run(folder.name, "fmer-lite", epochs=5000)
    walk.cancel_run()
    walk.start_run(folder.name, "linear", epochs=2)
    walk.wait_for_run(folder.name, "done")
    walk.compare_runs(folder.name)
    with closing(open_bus(stack.settings())) as bus:
        bus.publish(topic_by_short_name("clips").name, "nonsense", b"no record")
    walk.replay_letter("interpolator")
    seen = shutil.copy(video, tmp_path / "by-browser.mp4")
    walk.upload_video(Path(seen))
    walk.wait_for_prediction("by-browser.mp4")
    page.close()


def test_the_plain_command_needs_nothing_and_own_secrets_may_come_later(stack: Stack, tmp_path: Path) -> None:
    """The images are those that were built for `stack`: nothing is asked of a registry."""
    plain = Stack(tmp_path)
    before = volumes()
    try:
        for _ in range(2):
            plain.compose("up", "--detach", "--no-build", "--wait")
            states = {each["Service"]: (each["State"], each["Health"]) for each in plain.containers()}
            assert states.pop("init") == ("exited", "")
            assert set(states.values()) == {("running", "healthy")}
            plain.make_secrets()  # for the second time
        with closing(open_bus(plain.settings())) as bus:
            assert bus.read_newest("mer.datasets") == {}
        assert list(open_store(plain.settings()).list_keys("source/")) == []
        plain.compose("down", "--timeout", "30")
        assert not [name for name in volumes() - before if not name.startswith(plain.name)], "a volume without a name"
    finally:
        plain.compose("down", "--volumes", "--remove-orphans", "--timeout", "30")


def volumes() -> set[str]:
    listed = subprocess.run(["docker", "volume", "ls", "--quiet"], capture_output=True, text=True, check=True)
    return set(listed.stdout.split())


def drop(stack: Stack, dataset: Path, overrides: dict[str, Any] = SMALL) -> None:
    """With nothing but an S3 client, in any order."""
    client = stack.open_client()
    bucket = stack.settings().inbox_bucket
    for file in sorted(file for file in dataset.rglob("*") if file.is_file()):
        client.fput_object(bucket, f"{dataset.name}/{file.relative_to(dataset)}", str(file))
    plan = dataset.parent / "merstream.json"
    plan.write_text(json.dumps({"overrides": overrides, "train": TRAIN}))
    client.fput_object(bucket, f"{dataset.name}/merstream.json", str(plan))


def kill(stack: Stack, service: str) -> None:
    """SIGKILL from within, which ends this command too: what a person kills by `docker kill` stays down."""
    find = "[int(p) for p in os.listdir('/proc') if p.isdigit() and p != '1' and int(p) != os.getpid()]"
    code = f"import os; [os.kill(p, 9) for p in {find}]"
    subprocess.run(stack.command("exec", "-T", service, "python", "-c", code), cwd=ROOT, env=stack.given)


def latest(stack: Stack, name: str) -> dict[str, Message]:
    """By key; nothing while the broker is away."""
    bus = open_bus(stack.settings())
    try:
        return dict(bus.read_newest(name))
    except Unavailable:
        return {}
    finally:
        bus.close()


def results(stack: Stack) -> list[RunResult]:
    told = latest(stack, topic_by_short_name("results").name)
    return [RunResult.decode(message.value) for key, message in told.items() if "/" not in key]


def digests(store: Store) -> dict[str, str]:
    """Of every artifact, by its key."""
    return {key: hashlib.sha256(store.get(key)).hexdigest() for key in store.list_keys("") if key.endswith(".npz")}


def wait(until: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not until():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_SECONDS} s"
        time.sleep(2)
