"""What is left of a run that a person deletes, and what becomes of it afterwards."""

import pytest

from services.console.runs.run_deleter import RunDeleter
from services.console.state_reader import StateReader
from shared.pipeline_state import PipelineState
from shared.records import FoldResult
from shared.store import LocalStore
from tests.unit.trainer.lab import Killed

MAJORITY = {"datasets": ["toy"], "model": "majority"}


@pytest.fixture
def dropped(lab):
    lab.extract()
    lab.drop(model="majority")
    return lab


def stored(lab, *parts):
    return [key for key in lab.content() if key.startswith(parts)]


def delete(lab, run):
    RunDeleter(StateReader(PipelineState(lab.bus, lab.store), 60)).delete_run(run)


def test_a_deleted_run_leaves_its_mark_and_nothing_else(dropped, api, trainer):
    one, client = trainer(), api()
    before = stored(dropped, "roi-au/", "datasets/")
    one.work()
    run = dropped.result().run
    assert stored(dropped, "reports/")
    assert client.delete(f"/runs/{run}").status == 204
    assert stored(dropped, "reports/", "folds/", "runs/") == [f"runs/{run}/cancelled"]
    assert stored(dropped, "roi-au/", "datasets/") == before
    assert client.get("/runs").json == []
    assert client.get(f"/runs/{run}").status == 404
    assert [message.value for message in dropped.bus.read_newest("mer.results").values()] == []
    assert client.delete(f"/runs/{run}").status == 204, "it may be repeated"
    assert client.delete(f"/runs/{'0' * 32}").status == 404


def test_a_run_that_the_drop_started_stays_deleted_until_a_person_asks_for_it(dropped, api, trainer):
    trainer().work()
    run, client = dropped.result().run, api()
    report = dropped.content()[f"reports/toy/{run}/report.json"]
    client.delete(f"/runs/{run}")
    trainer().work()
    assert client.get("/runs").json == []
    asked = client.post(**MAJORITY).json
    assert (asked["id"], asked["state"]) == (run, "planned")
    assert not dropped.store.exists(f"runs/{run}/cancelled")
    trainer().work()
    assert client.get(f"/runs/{run}").json["state"] == "done"
    assert dropped.content()[f"reports/toy/{run}/report.json"] == report


def test_a_refused_training_of_a_drop_stays_deleted(lab, api, trainer):
    lab.extract()
    lab.drop(epocs=3)
    trainer().look()
    client = api()
    (run,) = client.get("/runs").json
    assert client.delete(run["url"]).status == 204
    trainer().look()
    assert client.get("/runs").json == []


def test_folds_that_another_run_has_too_stay(dropped, api, trainer):
    client, one = api(), trainer()
    one.work()
    first = dropped.result().run
    folds = set(stored(dropped, "folds/"))
    more = client.post(**MAJORITY, seeds=2).json["id"]
    one.work()
    client.delete(f"/runs/{more}")
    assert set(stored(dropped, "folds/")) == folds
    assert client.get(f"/runs/{first}").json["state"] == "done"


def test_a_run_in_work_ends_and_its_waiting_folds_are_not_trained(dropped, api, trainer):
    client, one = api(), trainer()
    one.look()
    one.planner.step()
    one.folds.step()
    (run,) = client.get("/runs").json
    assert (run["state"], client.delete(run["url"]).status) == ("training", 204)
    one.work()
    assert client.get("/runs").json == []
    assert stored(dropped, "folds/", "reports/") == []


def test_a_run_that_was_not_planned_yet_does_not_come_back_as_failed(dropped, api, trainer):
    client, one = api(), trainer()
    one.look()
    (message,) = dropped.bus.read_newest("mer.runs").values()
    client.delete(f"/runs/{message.key}")
    assert one.planner.handler.handle(message.value, one.metrics) == ("cancelled", [])


def test_a_run_that_ends_during_its_deletion_has_no_report(dropped, trainer, monkeypatch):
    one, put = trainer(), LocalStore.put
    one.look()
    (run,) = dropped.bus.read_newest("mer.runs")
    one.planner.step()
    for _ in range(3):
        one.folds.step()

    def mark_after_fold(store, key, data):
        put(store, key, data)
        if key.startswith("folds/") and key.endswith(".json"):
            put(store, f"runs/{run}/cancelled", b"")

    monkeypatch.setattr(LocalStore, "put", mark_after_fold)
    one.folds.step()
    assert len(dropped.bus.read_newest("mer.results")) == 4, "what is stored is told"
    assert stored(dropped, "reports/") == []


def test_a_fold_that_ends_during_a_deletion_is_removed_by_that_of_another_run(dropped, api, trainer):
    client, one = api(), trainer()
    client.post(**MAJORITY, seed=5)
    one.look()
    one.planner.step()
    one.folds.step()
    (message,) = [each for key, each in dropped.bus.read_newest("mer.results").items() if "/" in key]
    told = FoldResult.decode(message.value)
    client.delete(f"/runs/{told.run}")
    dropped.store.put(told.outcome, b"{}")
    dropped.bus.publish("mer.results", told.key, told.encode())
    (other,) = client.get("/runs").json
    client.delete(other["url"])
    assert stored(dropped, "folds/") == []
    assert dropped.bus.read_newest("mer.results") == {}


@pytest.mark.parametrize("effects", [0, 1, 3, 7, 12, 20])
def test_a_deletion_that_was_killed_is_finished_when_it_is_repeated(dropped, trainer, effects, monkeypatch):
    trainer().work()
    run = dropped.result().run
    left = effects

    def die(real):
        def act(*given):
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            return real(*given)

        return act

    with monkeypatch.context() as patched:
        for thing, name in ((dropped.store, "put"), (dropped.store, "delete"), (dropped.bus, "publish")):
            patched.setattr(thing, name, die(getattr(thing, name)))
        with pytest.raises(Killed):
            delete(dropped, run)
    delete(dropped, run)
    assert stored(dropped, "reports/", "folds/", "runs/") == [f"runs/{run}/cancelled"]
    assert dropped.bus.read_newest("mer.results") == {}
    assert dropped.bus.read_newest("mer.runs") == {}


def test_the_page_asks_before_it_deletes_and_says_what_was_deleted(dropped, api, trainer, caplog):
    trainer().work()
    run, client = dropped.result().run, api()
    assert f'action="/runs/{run}/delete"' in client.open(f"/runs/{run}").text
    caplog.set_level("INFO", "merstream.audit")
    ended = client.send_form(f"/runs/{run}/delete")
    assert (ended.status, ended.headers["Location"]) == (303, f"/runs?deleted={run}")
    assert f"Run <code>{run}</code> was deleted." in client.open(f"/runs?deleted={run}").text
    (line,) = [each for each in caplog.records if each.message == "run deleted"]
    assert (line.mer["object"], line.mer["dataset"], line.mer["person"]) == (run, "toy", "anybody")
    assert client.send_form(f"/runs/{'0' * 32}/delete").status == 404


def test_only_who_administers_may_delete(dropped, api, trainer, tmp_path):
    trainer().work()
    people, run = tmp_path / "people", dropped.result().run
    people.write_text("ann run 0123456789abcdef0001\nbob administer 0123456789abcdef0002\n")
    client = api(api_people=people)
    ann, bob = ({"Authorization": f"Bearer 0123456789abcdef000{each}"} for each in (1, 2))
    assert "/delete" not in client.open(f"/runs/{run}", **ann).text
    assert client.delete(f"/runs/{run}", **ann).status == 403
    assert client.submit(f"/runs/{run}/delete", **ann, Accept="text/html").status == 403
    assert client.delete(f"/runs/{run}", **bob).status == 204
