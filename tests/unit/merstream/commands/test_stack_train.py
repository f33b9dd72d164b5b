"""`mer stack train` against an API as it is served, on a bus and a store of its own."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from merstream.app import main
from merstream.stack import training
from merstream.stack.api_client import StackApi
from shared.errors import BadData, Misconfigured
from shared.records import Run
from shared.run_contents import RunContents
from tests.background import run_in_background
from tests.servers.process import free_port
from tests.unit.console.conftest import served
from tests.unit.trainer.lab import Lab

LABELS = {"disgust": "negative", "happiness": "positive", "surprise": "surprise"}


@pytest.fixture
def api(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an API over a dataset that is through; the current folder is elsewhere."""
    monkeypatch.setenv("MER_DEVICE", "cpu")
    monkeypatch.setattr(training, "WATCH_SECONDS", 0.01)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    lab.extract()
    lab.drop()
    with served(lab.bus, lab.store) as client:
        yield f"http://127.0.0.1:{client.port}"


def mer(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return int(end.value.code or 0)


def stack_train(url: str, *arguments: str) -> int:
    return mer("stack", "train", "--url", url, *arguments)


def test_a_run_is_cancelled(api, lab, capsys):
    assert stack_train(api, "toy", "--model", "majority") == 0
    (run,) = [Run.decode(message.value) for message in lab.bus.read_newest("mer.runs").values()]
    assert mer("stack", "cancel", run.id, "--url", api) == 0
    assert f"Run {run.id} of toy is cancelled." in capsys.readouterr().err
    assert mer("stack", "cancel", run.id, "--url", api) != 0
    assert "Only one that has not ended" in capsys.readouterr().err


def test_a_run_is_deleted_once_somebody_agrees(api, lab, capsys):
    assert stack_train(api, "toy", "--model", "majority") == 0
    (run,) = lab.bus.read_newest("mer.runs")
    assert mer("stack", "delete", run, "--url", api) != 0
    assert "Nothing was removed: expected an answer from a terminal" in capsys.readouterr().err
    assert list(lab.bus.read_newest("mer.runs")) == [run]
    assert mer("stack", "delete", run, "--yes", "--url", api) == 0
    assert f"Run {run} was deleted." in capsys.readouterr().err
    assert lab.bus.read_newest("mer.runs") == {}
    assert mer("stack", "delete", "0" * 32, "--yes", "--url", api) != 0
    assert "No run 0000" in capsys.readouterr().err


def test_a_run_is_followed_to_its_report(api, lab, trainer, capsys):
    one, ended = trainer(), threading.Event()

    def work() -> None:
        while not ended.is_set():
            if not (one.planner.step() or one.folds.step()):
                ended.wait(0.05)

    with run_in_background(work, ended.set):
        assert stack_train(api, "toy", "--model", "majority", "--seed", "5", "--watch") == 0
    result = lab.result()
    folder = Path("out/reports/toy") / result.run
    assert {file.name for file in folder.iterdir()} == set(result.files)
    for name, key in result.files.items():
        assert (folder / name).read_bytes() == lab.store.get(key)
    said = capsys.readouterr()
    assert "majority" in said.out
    assert result.run in said.err
    assert result.seed == 5


def test_without_watch_it_says_where_the_run_is_and_ends(api, lab, capsys):
    for _ in range(2):
        assert stack_train(api + "/", "toy", "--model", "majority", "--epochs", "3") == 0
        (run,) = map(Run.decode, (message.value for message in lab.bus.read_newest("mer.runs").values()))
        said = capsys.readouterr().err
        assert f"Run {run.id} of toy is planned: {api}/runs/{run.id}" in said.replace("\n", "")
        assert "--watch" in said
    assert lab.published("mer.runs") == 1


def test_what_is_asked_for_here_is_trained_there(api, lab):
    protocol = ["--protocol", "casme3c-4", "--known-as", "toy=casme3c", "--allow-other-counts"]
    lab.clips = [
        (sample.model_copy(update={"emotion": LABELS[sample.emotion]}), arrays) for sample, arrays in lab.clips
    ]
    lab.drop()
    lab.extract()
    assert stack_train(api, "toy", "--seed", "4", "--seeds", "2", "--model", "linear", *protocol) == 0
    (key,) = lab.store.list_keys("runs/")
    made = RunContents.decode(lab.store.get(key))
    assert (made.seeds, made.settings["seed"], made.settings["model"]) == (2, 4, "linear")
    assert (made.protocol["name"], made.protocol["datasets"]) == ("casme3c-4", {"toy": "casme3c"})


def test_ctrl_c_leaves_the_run_going_and_says_how_to_come_back(api, lab, monkeypatch, capsys):
    def press(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training.time, "sleep", press)
    assert stack_train(api, "toy", "--model", "majority", "--watch") == 130
    assert "The same command follows it again" in capsys.readouterr().err
    assert lab.published("mer.runs") == 1


def test_trouble_while_following_is_waited_out(api, lab, trainer):
    """The API goes away and comes back elsewhere in time, as a client sees it: refused connections, then the run."""
    client, one = StackApi(api), trainer()
    run = client.post("/runs", {"datasets": ["toy"], "model": "majority"})
    while one.planner.step() or one.folds.step():
        pass
    away, shown = StackApi(f"http://127.0.0.1:{free_port()}"), []

    def come_back() -> None:
        if len(shown) > 2:
            away.url = client.url

    run = training.wait_until_finished(away, run, lambda now, remark: shown.append(remark), come_back)
    assert run["state"] == "done"
    assert any("no answer" in remark for remark in shown)


def test_a_run_that_failed_says_why(lab):
    with pytest.raises(BadData, match="Run 7 failed: one subject"):
        training.fetch_and_print_report(
            StackApi("http://127.0.0.1:1"), {"state": "failed", "id": "7", "reason": "one subject"}
        )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["casme"], "No dataset 'casme' was dropped; there are toy."),
        (["toy", "--model", "resnet"], "model 'resnet': Input should be"),
        (["toy", "--classes", "happiness,fear"], "No clip shows fear"),
        (["toy", "--pipeline", "0" * 12], "toy was not dropped with pipeline"),
    ],
)
def test_what_the_api_refuses_is_said_in_its_words(arguments, said, api, lab, capsys):
    assert stack_train(api, *arguments) == 2
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert lab.published("mer.runs") == 0


def test_no_stack_and_no_address(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    nobody = f"http://127.0.0.1:{free_port()}"
    assert stack_train(nobody, "toy") == 1
    assert f"{nobody}: no answer" in capsys.readouterr().err
    assert stack_train("127.0.0.1:8080", "toy") == 2
    assert "expected the address of a stack's API, for example http://127.0.0.1:8080" in capsys.readouterr().err
    assert stack_train(nobody) == 2
    assert "DATASET" in capsys.readouterr().err


def test_the_old_spelling_works_and_names_the_new_one(api, lab, capsys):
    assert mer("train", "--stack", api, "--dataset", "toy", "--model", "majority") == 0
    said = capsys.readouterr().err
    assert f"is now `mer stack train NAME --url {api}`" in said.replace("\n", " ")
    assert lab.published("mer.runs") == 1
    for arguments, fault in (
        (["--stack", api], "expected the name of an uploaded dataset too: --dataset NAME"),
        (["--stack", api, "--dataset", "toy", "--faces"], "the reports of a stack show no faces"),
        (["--dataset", "toy"], "go with --stack URL"),
        (["--partial"], "go with --stack URL"),
    ):
        assert mer("train", *arguments) == 2
        assert fault in capsys.readouterr().err.replace("\n", " ")
    assert lab.published("mer.runs") == 1


def test_the_token_is_sent(lab, monkeypatch, capsys):
    lab.extract()
    lab.drop()
    with served(lab.bus, lab.store, api_token="s3cret") as client:
        given = (f"http://127.0.0.1:{client.port}", "toy", "--model", "majority")
        assert stack_train(*given) == 2
        assert "MER_API_TOKEN" in capsys.readouterr().err
        monkeypatch.setenv("MER_API_TOKEN", "s3cret")
        assert stack_train(*given) == 0


class Stranger(BaseHTTPRequestHandler):
    """Somebody else's server on that port."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()
        self.wfile.write(b"<h1>Hello</h1>")

    def log_message(self, *_: object) -> None: ...


@pytest.mark.parametrize("status", [200, 404, 503])
def test_another_server_is_not_taken_for_the_api(status, capsys):
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}/{status}"
        assert stack_train(url, "toy") == 2
    assert f"answers {status} and not as merstream's API does" in capsys.readouterr().err.replace("\n", " ")


def test_a_file_that_can_not_be_fetched_leaves_none(api, tmp_path):
    with pytest.raises(Misconfigured, match="No run 0000"):
        StackApi(api).download_file("/runs/" + "0" * 32 + "/report.json", tmp_path / "file")
    assert not (tmp_path / "file").exists()
