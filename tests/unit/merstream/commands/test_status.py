"""`mer status` as typed, on the folder of an embedded run; and what it imports."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from merstream.app import app
from merstream.commands import status
from merstream.embedded.run_folder import Workspace
from services.console.api.responses import list_dataset_answers
from shared.bus import Message
from shared.bus.dead_letters import bury_message
from shared.bus.local import LocalBus
from shared.bus.topics import TOPIC_BY_GROUP
from shared.dataset_notices import announce_dataset
from shared.errors import BadData, Unavailable
from shared.pipeline_state import PipelineState
from shared.pipeline_status import Status, StatusObserver
from shared.records import Artifact, Dataset, Figures, Pipeline, Record, RunResult, Sample, artifact_key


def sample(clip: str) -> Sample:
    return Sample(dataset="Lab 3", subject="s/1", clip=clip, onset=0, offset=1, fps=200)


def record(clip: str, stage: str, recipe: str = "r", pipeline: Pipeline | None = None) -> Record:
    """Of a clip whose source has `recipe`."""
    source = Artifact(key=artifact_key("source", sample(clip), recipe), sha256="0" * 64, size=1)
    artifact = source if stage == "source" else Artifact(key=f"{stage}/k.npz", sha256="1" * 64, size=1)
    inputs = {} if stage == "source" else {"source": source}
    common = {"sample": sample(clip), "stage": stage, "recipe": recipe, "trace": "t"}
    return Record(artifact=artifact, inputs=inputs, pipeline=pipeline or Pipeline(), **common)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Six clips: two with features, one buried, one with features of former files only, one underway, one at fault."""
    place = Workspace(tmp_path)
    bus, store = place.open_bus(), place.open_store()
    names = ("done", "again", "buried", "changed", "underway")
    clips = {sample(name).identity: record(name, "source").version for name in names}
    faults = tuple(f"clip {n}: no apex" for n in range(5))
    dataset = Dataset(name="Lab 3", clips=clips, faults=faults, complete=False)
    announce_dataset(bus, store, dataset)
    bus.publish("mer.datasets", "strange", b'{"schema": "mer.dataset/9"}')
    for clip, recipe in (("done", "r"), ("again", "r"), ("changed", "former")):
        features = record(clip, "roi-au", recipe)
        bus.publish("mer.features", features.key, features.encode())
    other = record("underway", "roi-au", "r", Pipeline(profile="paper"))
    bus.publish("mer.features", other.key, other.encode())
    for offset, (clip, recipe) in enumerate([("buried", "r"), ("again", "r"), ("underway", "former")]):
        dead = record(clip, "source", recipe)
        bury_message(bus, store, "ingest", Message("mer.sources", 0, offset, dead.key, dead.encode()), "no face", {})
    bus.publish("mer.sources", "k", b"v")
    bus.publish("mer.sources", "k", b"v")
    member = bus.subscribe("mer.sources", "ingest")
    member.commit(member.take_message(0))
    bus.close()
    return tmp_path


def test_json_counts_every_group_and_clip(out: Path) -> None:
    done = CliRunner().invoke(app, ["status", "--json", "--out", str(out)])
    said = json.loads(done.stdout)
    assert [group["group"] for group in said["groups"]] == list(TOPIC_BY_GROUP)
    assert said["groups"][0] == {"group": "ingest", "done": 1, "waiting": 1, "failed": 3}
    assert said["groups"][3] == {"group": "flow", "done": 0, "waiting": 0, "failed": 0}
    (dataset,) = said["datasets"]
    assert (dataset["found"], dataset["features"], dataset["left_out"]) == (10, 2, 6)
    assert (dataset["dataset"], dataset["pipeline"], dataset["complete"]) == ("Lab 3", Pipeline().digest, False)
    assert len(dataset["faults"]) == 5


def test_status_and_the_api_count_the_same_clips(out: Path) -> None:
    bus, store = Workspace(out).open_bus(), Workspace(out).open_store()
    (shown,) = StatusObserver(PipelineState(bus, store)).read_status().datasets
    (answered,) = list_dataset_answers(PipelineState(bus, store).read_snapshot())
    bus.close()
    assert (shown.found, shown.features, shown.left_out) == (10, 2, 6)
    assert (answered.clips, answered.features, len(answered.left_out)) == (shown.found, shown.features, shown.left_out)
    assert answered.clips == answered.features + answered.waiting + len(answered.left_out)
    assert answered.buried == 1, "the dead letters among those left out"


def test_a_letter_in_the_store_leaves_its_clip_out(out: Path) -> None:
    class SmallBus(LocalBus):
        """Refuses long dead letters, as a broker with a limit does."""

        def publish(self, topic: str, key: str, value: bytes | None, headers: Mapping[str, str] | None = None) -> None:
            if topic.endswith(".dlq") and value:
                raise BadData("too large")
            super().publish(topic, key, value, headers)

    bus, store, dead = SmallBus(out / "bus.sqlite"), Workspace(out).open_store(), record("underway", "ingest")
    bury_message(bus, store, "flow", Message("mer.magnified", 0, 9, dead.key, dead.encode()), "no face", {})
    (shown,) = StatusObserver(PipelineState(bus, store)).read_status().datasets
    bus.close()
    assert shown.left_out == 7


def test_tables_say_the_first_faults_and_how_many_more(out: Path) -> None:
    said = CliRunner().invoke(app, ["status", "--out", str(out)], env={"COLUMNS": "120"}).stdout
    assert said.index("ingest") < said.index("roi-au") < said.index("trainer") < said.index("Lab 3")
    assert "not yet" in said
    assert "Lab 3: clip 2: no apex" in said
    assert "clip 3" not in said
    assert "2 more faults" in said


def test_watching_waits_out_trouble_and_sees_what_comes(out: Path) -> None:
    seen: list[str] = []

    class Looks(StatusObserver):
        def read_status(self) -> Status:
            seen.append("look")
            if len(seen) == 1:
                raise Unavailable("broker away")
            if len(seen) == 3:
                stopping.set()
            return super().read_status()

    bus, store, stopping = Workspace(out).open_bus(), Workspace(out).open_store(), threading.Event()
    status.watch_status(Looks(PipelineState(bus, store)), stopping, refresh_seconds=0)
    bus.close()
    assert len(seen) == 3


def test_the_newest_result_of_each_dataset_is_told(out: Path) -> None:
    bus = LocalBus(out / "bus.sqlite")
    common = {"dataset": "Lab 3", "model": "fmer-lite", "pipeline": Pipeline().digest}
    figures = {"fmer-lite": Figures(uf1=0.875, uar=0.5, accuracy=1)}
    old = RunResult(run="a" * 32, status="failed", reason="one subject only", created="2026-01-01T00:00:00Z", **common)
    new = RunResult(run="b" * 32, status="done", figures=figures, created="2026-01-02T00:00:00Z", **common)
    other = RunResult(run="c" * 32, status="done", **{**common, "pipeline": "another"})
    mer = lambda: CliRunner().invoke(app, ["status", "--out", str(out)], env={"COLUMNS": "160"}).stdout  # noqa: E731
    for result, said in (
        (old, "failed: one subject only"),
        (new, "fmer-lite UF1 0.875, UAR 0.500"),
        (other, "UF1 0.875"),
    ):
        bus.publish("mer.results", result.key, result.encode())
        assert said in mer()
    told = json.loads(CliRunner().invoke(app, ["status", "--json", "--out", str(out)]).stdout)["datasets"][0]["result"]
    bus.close()
    assert (told["run"], told["status"], told["figures"]["fmer-lite"]["uar"]) == ("b" * 32, "done", 0.5)


def test_an_observer_follows(out: Path) -> None:
    bus = LocalBus(out / "bus.sqlite")
    observer = StatusObserver(PipelineState(bus, Workspace(out).open_store()))
    assert observer.read_status().datasets[0].features == 2
    features = record("underway", "roi-au")
    bus.publish("mer.features", features.key, features.encode())
    assert observer.read_status().datasets[0].features == 3
    observer.close()
    bus.close()


def test_it_imports_neither_torch_nor_numba(out: Path) -> None:
    code = (
        "import sys\nfrom merstream.app import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print(sorted({'torch', 'numba', 'cv2', 'scipy'} & set(sys.modules)))"
    )
    for command in (["status"], ["dead-letters", "list"]):
        done = subprocess.run([sys.executable, "-c", code, *command, "--out", str(out)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "ingest" in done.stdout
        assert done.stdout.splitlines()[-1] == "[]"
