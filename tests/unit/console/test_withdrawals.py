"""A dataset or a person is removed because somebody asked in the console."""

import threading

import pytest

from services.ingest.withdrawal import loop as loops
from services.ingest.withdrawal.loop import MOST_ATTEMPTS, WithdrawalLoop
from services.ingest.withdrawal.withdrawing import Withdrawer
from shared.errors import BadData, Unavailable
from shared.withdrawal.requests import WithdrawalRequest, WithdrawalResult, find_withdrawal

TOKENS = {name: {"Authorization": f"Bearer 0123456789abcdef{name:0>6}"} for name in ("ann", "bob")}


@pytest.fixture
def dropped(lab, trainer):
    lab.extract()
    lab.drop(model="majority")
    trainer().work()
    return lab


def open_loop(lab, withdrawer=None):
    return WithdrawalLoop(lab.store, lambda: withdrawer or Withdrawer(lab.bus, lab.store, None), threading.Event())


def naming(lab, text):
    return [key for key, data in lab.content().items() if text in key or text.encode() in data]


def test_a_person_is_removed_and_no_answer_names_them(dropped, api, caplog):
    client = api()
    caplog.set_level("INFO")
    plan = client.open("/withdrawals/new?dataset=toy&subject=s01").text
    assert "Remove person s01 of toy" in plan
    assert "<dt>clips</dt><dd>3</dd>" in plan
    assert "<dt>stored files</dt><dd>3</dd>" in plan
    assert "<dt>runs on the dataset</dt><dd>1</dd>" in plan
    asked = client.send_form("/withdrawals", ("dataset", "toy"), ("subject", "s01"))
    assert asked.status == 303
    waiting = client.open(asked.headers["Location"])
    assert ("The removal is in work" in waiting.text, waiting.headers["Refresh"]) == (True, "2")
    assert client.get(asked.headers["Location"]).json["state"] == "waiting"
    open_loop(dropped).serve_requests()
    ended = client.get(asked.headers["Location"]).json
    assert (ended["state"], ended["dataset"]) == ("done", "toy")
    assert ended["sentences"][0].startswith("One person of toy: removed 3 clips, ")
    page = client.open(asked.headers["Location"])
    assert ("One person of toy: removed 3 clips" in page.text, "Refresh" in page.headers) == (True, False)
    assert naming(dropped, "s01") == []
    assert naming(dropped, "toy/s00")
    (line,) = [each for each in caplog.records if each.message == "removal requested"]
    assert line.mer == {
        "stage": "console",
        "person": "anybody",
        "object": "toy",
        "part": "one person",
        "withdrawal": ended["id"],
    }


def test_a_dataset_is_removed_by_the_api(dropped, api):
    client = api()
    asked = client.ask_json("/withdrawals", {"dataset": "toy"})
    assert (asked.status, asked.json["state"]) == (202, "waiting")
    open_loop(dropped).serve_requests()
    ended = client.get(asked.json["url"]).json
    assert ended["sentences"][0].startswith("toy: removed 6 clips, 1 reports removed, ")
    assert client.get("/datasets").json == client.get("/runs").json == []
    assert {key.partition("/")[0] for key in dropped.content()} == {"withdrawn", "withdrawals"}
    assert client.ask_json("/withdrawals", {"dataset": "toy"}).status == 202, "the mark allows a repetition"


def test_what_nothing_is_known_of_is_refused(dropped, api):
    client = api()
    for body in ({"dataset": "other"}, {"dataset": "toy", "subject": "s9"}):
        refused = client.ask_json("/withdrawals", body)
        assert (refused.status, "got nothing" in refused.detail) == (404, True)
    assert client.open("/withdrawals/new?dataset=toy&subject=s9").status == 404
    assert client.get(f"/withdrawals/{'0' * 32}").status == 404
    assert client.open("/withdrawals/..%2Fa").status == 404
    assert naming(dropped, "withdrawals/") == []


def test_only_who_administers_may_ask(dropped, api, tmp_path):
    people = tmp_path / "people"
    people.write_text("ann run 0123456789abcdef000ann\nbob administer 0123456789abcdef000bob\n")
    client = api(api_people=people)
    assert "Remove this dataset" not in client.open("/datasets/toy", **TOKENS["ann"]).text
    assert "Remove this dataset" in client.open("/datasets/toy", **TOKENS["bob"]).text
    assert client.open("/withdrawals/new?dataset=toy", **TOKENS["ann"]).status == 403
    assert client.ask_json("/withdrawals", {"dataset": "toy"}, **TOKENS["ann"]).status == 403
    assert client.ask_json("/withdrawals", {"dataset": "toy"}, **TOKENS["bob"]).status == 202


class Refusing(Withdrawer):
    """Ends with an error, as often as it is asked."""

    error: Exception

    def withdraw_scope(self, *given):
        raise self.error


def refusing(lab, error):
    withdrawer = Refusing(lab.bus, lab.store, None)
    object.__setattr__(withdrawer, "error", error)
    return withdrawer


def test_a_request_that_cannot_be_read_keeps_no_other_one_waiting(dropped):
    damaged = f"withdrawals/{'0' * 32}/request.json"
    dropped.store.put(damaged, b"{}")
    request = WithdrawalRequest(dataset="toy", id="1" * 32)
    dropped.store.put(request.key, request.encode())
    open_loop(dropped).serve_requests()
    assert isinstance(find_withdrawal(dropped.store, request.id), WithdrawalResult)
    assert naming(dropped, "withdrawals/") == [damaged, f"withdrawals/{request.id}/result.json"]


def test_a_refusal_is_told_without_the_person(lab):
    request = WithdrawalRequest(dataset="toy", subject="s1")
    lab.store.put(request.key, request.encode())
    reason = "got an archive. Upload the dataset without s1 under this name."
    open_loop(lab, refusing(lab, BadData(reason))).serve_requests()
    result = find_withdrawal(lab.store, request.id)
    assert isinstance(result, WithdrawalResult)
    assert (result.refused, result.sentences) == (
        True,
        ("got an archive. Upload the dataset without the person under this name.",),
    )
    assert not lab.store.exists(request.key)


def test_a_store_that_is_away_costs_no_attempt_and_a_fault_at_most_three(lab):
    request = WithdrawalRequest(dataset="toy")
    lab.store.put(request.key, request.encode())
    with pytest.raises(Unavailable):
        open_loop(lab, refusing(lab, Unavailable("away"))).serve_requests()
    assert find_withdrawal(lab.store, request.id) == request
    for _ in range(MOST_ATTEMPTS):
        with pytest.raises(ZeroDivisionError):
            open_loop(lab, refusing(lab, ZeroDivisionError())).serve_requests()
    open_loop(lab, refusing(lab, ZeroDivisionError())).serve_requests()
    result = find_withdrawal(lab.store, request.id)
    assert isinstance(result, WithdrawalResult)
    assert "ended early 3 times" in result.sentences[0]


def test_a_result_that_is_stored_is_kept_when_the_request_was_not_deleted(lab):
    request = WithdrawalRequest(dataset="toy")
    result = WithdrawalResult(id=request.id, dataset="toy", refused=False, sentences=("toy: removed 1 clips.",))
    for each in (request, result):
        lab.store.put(each.key, each.encode())
    open_loop(lab, refusing(lab, ZeroDivisionError())).serve_requests()
    assert find_withdrawal(lab.store, request.id) == result
    assert not lab.store.exists(request.key)


def test_the_loop_goes_on_after_a_fault_and_ends_when_it_is_told(lab, monkeypatch):
    request, stopping = WithdrawalRequest(dataset="toy"), threading.Event()
    lab.store.put(request.key, request.encode())
    monkeypatch.setattr(loops, "POLL_SECONDS", 0)
    loop = WithdrawalLoop(lab.store, lambda: refusing(lab, ZeroDivisionError()), stopping, on_end=stopping.set)
    loop.run()
    assert isinstance(find_withdrawal(lab.store, request.id), WithdrawalResult)
