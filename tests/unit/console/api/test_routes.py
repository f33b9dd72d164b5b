"""What clients ask and are told, over real HTTP."""

import json
import re
import threading

import pytest

from services.console.api import run_request
from shared.dataset_notices import announce_dataset
from shared.records import Dataset, Pipeline
from shared.run_contents import RunContents
from tests.unit.console.conftest import served

MAJORITY = {"datasets": ["toy"], "model": "majority"}
PAPER = Pipeline(profile="paper")


@pytest.fixture
def dropped(lab):
    lab.extract()
    lab.drop(complete=True)
    return lab


def contents(lab):
    """Of the only run."""
    (key,) = lab.store.list_keys("runs/")
    return RunContents.decode(lab.store.get(key))


def test_a_run_is_asked_for_followed_and_fetched(dropped, api, trainer):
    client, one = api(), trainer()
    asked = client.post(**MAJORITY, settings={"seed": 7})
    assert asked.status == 202
    run = asked.json
    assert asked.headers["Location"] == run["url"] == f"/runs/{run['id']}"
    assert (run["state"], run["folds"], run["files"]) == ("planned", {"done": 0, "total": 4}, {})
    assert (run["dataset"], run["model"], run["seed"]) == ("toy", "majority", 7)
    one.planner.step()
    one.folds.step()
    now = client.get(run["url"]).json
    assert (now["state"], now["folds"]) == ("training", {"done": 1, "total": 4})
    while one.folds.step():
        pass
    done = client.get(run["url"]).json
    assert (done["state"], done["folds"], done["reason"]) == ("done", None, "")
    assert set(done["figures"]) == {"majority", "linear"}
    assert done["figures"]["majority"]["accuracy"] == dropped.result().figures["majority"].accuracy
    assert {"report.json", "report.html", "predictions.csv"} <= set(done["files"])
    for name, url in done["files"].items():
        assert client.get(url).data == dropped.store.get(dropped.result().files[name])
    assert client.get(done["files"]["report.html"]).headers["Content-Type"].startswith("text/html")
    assert client.get(done["files"]["report.json"]).headers["Content-Type"] == "application/json"
    assert json.loads(client.get(done["files"]["report.json"]).data)["seed"] == 7


def test_the_same_request_is_the_same_run_whoever_is_asked(dropped, api, trainer):
    one, other = api(), api()
    first, second = one.post(**MAJORITY), other.post(**MAJORITY)
    assert first.json == second.json == one.get(first.json["url"]).json
    assert dropped.published("mer.runs") == 1
    trainer().work()
    again = other.post(**MAJORITY)
    assert (again.status, again.json["state"]) == (202, "done")
    assert dropped.published("mer.runs") == 2  # the other is the drop's own, of the default model
    assert one.get("/runs").json == other.get("/runs").json


def test_what_the_drop_started_is_the_run_that_is_asked_for(lab, api, trainer):
    lab.extract()
    lab.drop(model="majority")
    trainer().work()
    client = api()
    assert client.post(**MAJORITY).json["state"] == "done"
    assert [run["id"] for run in client.get("/runs").json] == [lab.result().run]
    assert lab.published("mer.runs") == 1


def test_a_run_that_failed_is_tried_again_when_it_is_asked_for_again(dropped, api, trainer):
    client, one = api(), trainer()
    run = client.post(**MAJORITY).json
    key = dropped.store.get(f"runs/{run['id']}/run.json")
    artifact = contents(dropped).features[0].artifact.key
    sound = dropped.store.get(artifact)
    dropped.store.put(artifact, b"changed")
    while one.planner.step() or one.folds.step():
        pass
    failed = client.get(run["url"]).json
    assert failed["state"] == "failed"
    assert "roi-au" in failed["reason"]
    dropped.store.put(artifact, sound)
    assert client.post(**MAJORITY).json["state"] in ("planned", "training")
    while one.planner.step() or one.folds.step():
        pass
    assert client.get(run["url"]).json["state"] == "done"
    assert dropped.store.get(f"runs/{run['id']}/run.json") == key


def test_several_datasets_are_one_run(dropped, api):
    twin = Dataset(name="twin", clips=dict.fromkeys([], ""), complete=True)
    announce_dataset(dropped.bus, dropped.store, twin)
    answer = api().post(datasets=["twin", "toy"], model="majority")
    assert (answer.status, answer.json["dataset"]) == (202, "toy+twin")


def test_what_is_asked_for_is_what_is_trained(dropped, api):
    classes = ["surprise", "disgust"]
    assert api().post(**MAJORITY, classes=classes, profile="paper", settings={"epochs": 3}).status == 202
    made = contents(dropped)
    assert (made.classes, made.settings["epochs"]) == (tuple(classes), 3)
    assert made.settings["schedule"] == "late-exponential", "the rest is the profile's"


def test_protocol_and_seeds_are_the_runs(dropped, api, trainer):
    client, one = api(), trainer()
    given = {"protocol": "k-fold", "seed": 3, "seeds": 2, "settings": {"folds": 2}}
    run = client.post(**MAJORITY, **given).json
    assert (run["protocol"], run["seed"], run["seeds"]) == ("k-fold", 3, 2)
    while one.planner.step() or one.folds.step():
        assert client.get(run["url"]).json["folds"] in (
            None,
            *({"done": k, "total": run["folds"]["total"]} for k in range(9)),
        )
    done = client.get(run["url"]).json
    assert (done["state"], done["protocol"], done["seeds"]) == ("done", "k-fold", 2)


def test_an_unknown_dataset_names_those_there_are(dropped, api):
    answer = api().post(datasets=["casme"], model="majority")
    assert (answer.status, answer.detail) == (404, "No dataset 'casme' was dropped; there are toy.")


def test_a_dataset_that_is_not_through_says_how_many_clips_wait(lab, api):
    client = api()
    lab.extract(lab.clips[:4])
    lab.drop()
    refused = client.post(**MAJORITY)
    assert refused.status == 409
    assert refused.detail.startswith("toy is not complete: 2 of 6 clips have no features yet.")
    lab.drop(complete=False)
    lab.extract(lab.clips[4:])
    assert client.post(**MAJORITY).detail.startswith("toy is not complete: more clips are expected.")
    assert lab.published("mer.runs") == 0


def test_a_partial_run_takes_what_is_there_and_names_the_rest(lab, api):
    lab.extract(lab.clips[:5])
    lab.drop(faults=("toy/s02/c00: no such file.",))
    assert api().post(**MAJORITY, partial=True).status == 202
    made = contents(lab)
    assert len(made.features) == 5
    assert made.faults == (
        "toy/s02/c00: no such file.",
        f"{lab.clips[5][0].identity}: was still in work when the run was requested.",
    )


def test_a_dataset_of_several_pipelines_has_to_be_named_more_closely(dropped, api):
    paper = Dataset(name="toy", pipeline=PAPER, clips={}, complete=True)
    announce_dataset(dropped.bus, dropped.store, paper)
    client, ours = api(), Pipeline().digest
    several = client.post(**MAJORITY)
    assert several.status == 422
    assert ours in several.detail
    assert PAPER.digest in several.detail
    assert client.post(**MAJORITY, pipeline=ours).status == 202
    wrong = client.post(**MAJORITY, pipeline="0" * 12)
    assert (wrong.status, "was not dropped with pipeline 000000000000" in wrong.detail) == (404, True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"model": "resnet"}, "model 'resnet': Input should be 'fmer'"),
        ({"settings": {"epocs": 3}}, "epocs 3: no such training setting; there are model, seed"),
        ({"settings": {"epochs": 0}}, "epochs 0: Input should be greater than or equal to 1"),
        ({"settings": {"model": "linear"}}, "model: given both in `settings` and beside it"),
        ({"profile": "best"}, "Unknown profile 'best'"),
        ({"protocol": "guess"}, "No protocol 'guess'; there are"),
        ({"seeds": 0}, "seeds: Input should be greater than or equal to 1"),
        ({"settings": {"folds": 3}}, "folds"),
        ({"classes": ["happiness", "fear"]}, "No clip shows fear"),
        ({"classes": "happiness"}, "classes: Input should be a valid"),
        ({"epochs": 3}, "epochs 3: no such field of a run; there are datasets, pipeline"),
        ({"datasets": []}, "datasets: Tuple should have at least 1 item"),
        ({"datasets": ["toy", "toy"]}, "Expected different datasets"),
        ({"datasets": [3]}, "datasets.0: Input should be a valid string"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_said_and_starts_nothing(body, said, dropped, api):
    answer = api().post(**{**MAJORITY, **body})
    assert answer.status == 422
    assert said in answer.detail
    assert answer.detail.endswith(".")
    assert dropped.published("mer.runs") == 0
    assert list(dropped.store.list_keys("runs/")) == []


def test_a_run_that_could_not_be_planned_is_refused_at_once(lab, api):
    lab.clips = [pair for pair in lab.clips if pair[0].subject == "s00"]
    lab.extract()
    lab.drop()
    answer = api().post(**MAJORITY)
    assert answer.status == 422
    assert "at least 2 subjects" in answer.detail
    assert lab.published("mer.runs") == 0


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b"{", "application/json", "Expected JSON"),
        (b"[]", "application/json", "Expected a JSON object"),
        (b"", "application/json", "Expected a JSON object"),
        (json.dumps(MAJORITY).encode(), "text/plain", "Content-Type: application/json"),  # a web page may send that
    ],
)
def test_a_body_that_is_none_is_said(body, kind, said, dropped, api):
    answer = api().send(body, kind)
    assert answer.status == 422
    assert said in answer.detail
    assert dropped.published("mer.runs") == 0


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/runs/" + "0" * 32, 404, "No run 00000000000000000000000000000000; GET /runs lists"),
        ("/runs/nonsense", 422, "run: String should match pattern"),
        ("/runs?limit=0", 422, "limit: Input should be greater"),
        ("/elsewhere", 404, "Not Found"),
    ],
)
def test_what_is_not_there_is_said(path, status, said, dropped, api):
    answer = api().get(path)
    assert answer.status == status
    assert said in answer.detail


def test_a_report_is_not_there_before_the_run_is_done(dropped, api):
    client = api()
    run = client.post(**MAJORITY).json
    answer = client.get(f"{run['url']}/report.html")
    assert (answer.status, answer.detail.endswith("there are none, it is planned.")) == (404, True)
    assert client.get(f"{run['url']}/..%2Frun.json").status == 404


def test_datasets_say_how_far_they_are(lab, api):
    client = api()
    assert client.get("/datasets").json == []
    lab.extract(lab.clips[:4])
    lab.bury(5)
    lab.drop(faults=("toy/s02/c00: no such file.",))
    (told,) = client.get("/datasets").json
    assert {name: told[name] for name in ("name", "clips", "features", "waiting", "buried", "complete")} == {
        "name": "toy",
        "clips": 7,
        "features": 4,
        "waiting": 1,
        "buried": 1,
        "complete": True,
    }
    assert told["left_out"] == ["toy/s02/c00: no such file.", "toy/s01/c02: flow: no face"]
    assert (told["pipeline"], told["profile"]) == (Pipeline().digest, "corrected")


def test_runs_are_listed_newest_first_by_dataset_and_so_many(dropped, api):
    client = api()
    asked = [client.post(**MAJORITY, seed=seed).json["id"] for seed in range(3)]
    assert [run["id"] for run in client.get("/runs").json] == asked[::-1]
    assert [run["id"] for run in client.get("/runs?limit=1&dataset=toy").json] == asked[2:]
    assert client.get("/runs?dataset=other").json == []


def walk(client, path):
    """The answers of all pages of a list."""
    pages = []
    while path:
        answer = client.get(path)
        pages.append(answer.json)
        link = re.fullmatch(r'<(\?[^>]+)>; rel="next"', answer.headers.get("Link", ""))
        path = path.partition("?")[0] + link[1] if link else ""
    return pages


def test_a_list_is_followed_to_its_end_while_it_grows(dropped, api):
    client = api()
    asked = [client.post(**MAJORITY, seed=seed).json["id"] for seed in range(5)]
    pages = walk(client, "/runs?dataset=toy&limit=2")
    assert [[run["id"] for run in page] for page in pages] == [asked[:2:-1], asked[2:0:-1], asked[:1]]
    first = client.get("/runs?limit=2")
    client.post(**MAJORITY, seed=9)
    (query,) = re.findall("<(.*)>", first.headers["Link"])
    assert [run["id"] for run in client.get(f"/runs{query}").json] == asked[2:0:-1], "a new run shifts nothing"
    assert "Link" not in client.get("/runs?limit=6").headers
    assert client.get("/runs?cursor=x").status == 422


def test_datasets_are_paged(dropped, api):
    for name in ("a", "b"):
        announce_dataset(dropped.bus, dropped.store, Dataset(name=name, clips={}, complete=True))
    pages = walk(api(), "/datasets?limit=2")
    assert [[each["name"] for each in page] for page in pages] == [["b", "a"], ["toy"]]


def test_a_run_is_cancelled_and_starts_again_when_it_is_asked_for_again(dropped, api, trainer):
    client, one = api(), trainer()
    run = client.post(**MAJORITY, settings={"seed": 7}).json
    one.planner.step()
    one.folds.step()
    ended = client.submit(f"{run['url']}/cancel")
    assert (ended.status, ended.json["state"], ended.json["folds"]) == (202, "cancelled", None)
    assert "starts it again" in ended.json["reason"]
    assert dropped.store.exists(f"runs/{run['id']}/cancelled")
    one.work()
    assert client.get(run["url"]).json["state"] == "cancelled"
    trained = [key for key in dropped.bus.read_newest("mer.results") if key.startswith(f"{run['id']}/")]
    assert len(trained) == 1, "only the fold that was trained before"
    again = client.submit(f"{run['url']}/cancel")
    assert (again.status, "is cancelled" in again.detail) == (409, True)
    restarted = client.post(**MAJORITY, settings={"seed": 7}).json
    assert (restarted["id"], restarted["state"]) == (run["id"], "training")
    one.work()
    assert client.get(run["url"]).json["state"] == "done"
    assert client.submit(f"/runs/{'0' * 32}/cancel").status == 404


def test_the_form_of_a_page_cancels_and_leads_back_to_it(dropped, api):
    client = api()
    run = client.post(**MAJORITY).json
    assert f'action="{run["url"]}/cancel"' in client.open(run["url"]).text
    ended = client.submit(f"{run['url']}/cancel", Accept="text/html")
    assert (ended.status, ended.headers["Location"]) == (303, run["url"])
    page = client.open(run["url"]).text
    assert "Somebody cancelled it" in page
    assert "/cancel" not in page


def test_what_a_drop_asked_for_in_vain_is_a_failed_run(lab, api, trainer):
    lab.extract()
    lab.drop(epocs=3)
    trainer().look()
    (run,) = api().get("/runs").json
    assert (run["state"], "no such training setting" in run["reason"]) == ("failed", True)


def test_one_person_under_two_names_is_refused_unless_they_are_distinct(lab, api, trainer):
    lab.clips = [
        (sample.model_copy(update={"subject": f"{sample.subject}_s2" if number % 2 else sample.subject}), arrays)
        for number, (sample, arrays) in enumerate(lab.clips)
    ]
    lab.extract()
    lab.drop(complete=True, model="majority")
    client, one = api(), trainer()
    refused = client.post(**MAJORITY)
    assert refused.status == 422
    assert "one person under two names would be trained on and tested" in refused.detail
    one.work()
    assert lab.result().status == "failed"
    assert "one person under two names" in lab.result().reason
    assert client.post(**MAJORITY, settings={"distinct": True}).status == 202
    one.work()
    assert sorted(result.status for result in lab.results().values()) == ["done", "failed"]


def test_runs_are_prepared_one_at_a_time_and_a_late_one_is_found(dropped, monkeypatch):
    """The work of a request without an answer goes on, and others wait, so that memory is that of one run."""
    going_on, active, most = threading.Event(), [], []
    real = run_request.definition.list_folds

    def list_slowly(*given):
        active.append(1)
        most.append(len(active))
        going_on.wait()
        active.pop()
        return real(*given)

    monkeypatch.setattr(run_request.definition, "list_folds", list_slowly)
    monkeypatch.setenv("MER_DEVICE", "cpu")
    with served(dropped.bus, dropped.store, timeout_seconds=0.5) as client:
        assert client.post(**MAJORITY).status == 503
        busy = client.post(**MAJORITY)
        assert (busy.status, busy.headers["Retry-After"]) == (503, "5")
        going_on.set()
        while (answer := client.post(**MAJORITY)).status == 503:
            pass
        assert answer.status == 202
    assert most == [1], "nothing is computed twice"
    assert dropped.published("mer.runs") == 1


@pytest.mark.parametrize("body", [b"\xff\xfe{", b"[" * 100_000])
def test_a_body_that_cannot_be_decoded_is_refused_with_a_sentence(dropped, api, body):
    refused = api().send(body)
    assert (refused.status, refused.detail) == (
        422,
        "Expected JSON in UTF-8, got a body that cannot be decoded as that.",
    )
