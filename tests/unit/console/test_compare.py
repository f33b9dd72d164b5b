"""Runs side by side, compared with what the trainer says in its reports."""

import html
import io
import re
from collections.abc import Sequence

import pytest
from fastapi import HTTPException

from services.console.runs import judged_clips, run_comparison
from services.console.runs.judged_clips import JudgedClip, JudgedClips, read_judged_clips

TABLE = """learner,seed,held_out,clip,subject,dataset,emotion,predicted,p_anger,p_fear,au4,p_au4,au12,p_au12
own,0,a/1,a/1/x,a/1,a,fear,fear,0,1,1,0.5,0,0.4
own,0,a/2,a/2/x,a/2,a,fear,anger,1,0,,0.9,,0.1
other,0,a/1,a/1/x,a/1,a,fear,anger,1,0,1,,0,
own,1,a/1,a/1/x,a/1,a,fear,anger,1,0,1,0.4,0,0.6
own,1,a/2,a/2/x,a/2,a,fear,anger,1,0,,0.9,,0.1
"""


def opened(text: str) -> io.BytesIO:
    return io.BytesIO(text.encode())


def judged(*rows: tuple[str, str, Sequence[str]]) -> JudgedClips:
    """Clips by name, label and what each seed said."""
    clips = {
        name: JudgedClip(subject=name.rpartition("/")[0], emotion=emotion, predicted=list(said))
        for name, emotion, said in rows
    }
    return JudgedClips(clips, frozenset())


def test_two_runs_are_compared_as_their_reports_compare_learners(lab, api, trainer) -> None:  # type: ignore[no-untyped-def]
    lab.extract()
    lab.drop(complete=True)
    client, one = api(), trainer()
    runs = [client.post(datasets=["toy"], model=name, seed=0).json for name in ("majority", "linear")]
    one.work()
    addresses = "&".join(f"run={run['id']}" for run in runs)
    found = client.get(f"/runs/compare?{addresses}").json
    (test,) = found["tests"]
    said = lab.report(lab.results()[runs[1]["id"]]).comparisons["majority"]
    assert (test["clips"], test["subjects"], test["redraws"], test["note"]) == (6, 2, 10_000, "")
    for name in ("uf1", "uar", "au_f1"):
        figure, expected = test["figures"][name], getattr(said, name)
        assert figure["difference"] == pytest.approx(expected.difference, abs=1e-9)
        assert figure["interval"] == pytest.approx(expected.interval, abs=1e-9)
        assert figure["p"] == pytest.approx(expected.p)
    assert [run["model"] for run in found["runs"]] == ["majority", "linear"]
    assert {each["name"]: each["values"] for each in found["settings"]} == {"model": ["majority", "linear"]}
    disputed = found["disputed"]
    assert found["agreed_clips"] + len(disputed) == 6
    assert sum(each["predicted"][1] == each["emotion"] for each in disputed) == found["right_alone"][1]
    lab.store.delete(lab.results()[runs[1]["id"]].files["predictions.csv"])
    page = html.unescape(client.open(f"/runs/compare?{addresses}").text)  # what was compared is kept
    assert f"{test['figures']['uf1']['difference']:+.3f}" in page
    for each in disputed:
        assert each["clip"] in page
    listed = client.open("/runs").text
    assert sorted(re.findall(r'name="run" value="(\w+)"', listed)) == sorted(
        run["id"] for run in client.get("/runs").json if run["state"] == "done"
    )


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("", 422, "Expected 2 to 5 different runs to compare, got 0."),
        ("run={0}&run={0}", 422, "Expected 2 to 5 different runs to compare, got 1."),
        ("run={0}&run=" + "0" * 32, 404, "No run 0000"),
        ("run={0}&run=nonsense", 404, "No run nonsense"),
        ("run={0}&run={1}", 409, "is planned. Only runs that are done can be compared."),
    ],
)
def test_what_cannot_be_compared_is_said(query: str, status: int, said: str, lab, api, trainer) -> None:  # type: ignore[no-untyped-def]
    lab.extract()
    lab.drop(complete=True, model="majority")
    trainer().work()
    client = api()
    planned = client.post(datasets=["toy"], model="linear").json["id"]
    address = "/runs/compare?" + query.format(lab.result().run, planned)
    page = client.open(address)
    assert (page.status, said in html.unescape(page.text)) == (status, True)
    refused = client.get(address)
    assert refused.status == status
    assert query == "" or said in refused.detail


def test_a_table_of_predictions_is_read_by_clip_and_seed() -> None:
    found = read_judged_clips(opened(TABLE), "own", "Run x")
    assert found.units == {4, 12}
    clip = found.clips["a/1/x"]
    assert (clip.subject, clip.emotion, clip.predicted) == ("a/1", "fear", ["fear", "anger"])
    assert (clip.coded, clip.units) == ({4}, [{4}, {12}])
    assert (found.clips["a/2/x"].coded, found.clips["a/2/x"].majority_emotion) == (None, "anger")
    assert read_judged_clips(opened(TABLE), "other", "Run x").units == set()


@pytest.mark.parametrize(
    ("table", "model"),
    [("", "own"), ("clip,emotion\n", "own"), ("learner,clip\nown,x\n", "own"), (TABLE, "none")],
)
def test_what_is_no_table_of_predictions_is_refused(table: str, model: str) -> None:
    with pytest.raises(HTTPException) as refused:
        read_judged_clips(opened(table), model, "Run x")
    assert refused.value.status_code == 409
    assert str(refused.value.detail).startswith("Run x has no ")


def test_too_many_predictions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged_clips, "MOST_ROWS", 3)
    with pytest.raises(HTTPException, match="413: Run x has more than 3 predictions"):
        read_judged_clips(opened(TABLE), "own", "Run x")


def test_clips_with_other_labels_and_few_subjects_are_named() -> None:
    first = judged(("a/1/x", "fear", ["fear"]), ("a/1/y", "anger", ["fear"]), ("a/2/x", "fear", ["fear"]))
    other = judged(("a/1/x", "fear", ["anger"]), ("a/1/y", "others", ["fear"]), ("a/3/x", "fear", ["fear"]))
    test = run_comparison.measure_difference("r", first, other)
    assert (test.clips, test.other_labels, test.figures) == (1, 1, {})
    assert test.note == "No test: the runs have fewer than two subjects in common."


def test_disputes_count_who_was_right_alone() -> None:
    labels = [("a/1/x", "fear"), ("a/1/y", "fear"), ("a/2/x", "anger"), ("a/2/y", "fear")]
    first = judged(*((name, label, ["fear", "fear", "anger"]) for name, label in labels))
    other = judged(*((name, label, ["anger"] if name != "a/2/y" else ["fear"]) for name, label in labels))
    found = run_comparison.find_disputes([first, other])
    assert (found["agreed_clips"], found["right_alone"]) == (1, (2, 1))
    assert [(each.clip, each.predicted) for each in found["disputed"]] == [
        (name, ("fear", "anger")) for name in ("a/1/x", "a/1/y", "a/2/x")
    ]


def test_the_memory_of_a_test_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    first = judged(*((f"a/{number}/x", "fear", ["fear"]) for number in range(4)))
    other = judged(*((f"a/{number}/x", "fear", ["anger"]) for number in range(4)))
    monkeypatch.setattr(run_comparison, "MOST_DRAWN", 400)
    assert run_comparison.measure_difference("r", first, other).redraws == 100
    monkeypatch.setattr(run_comparison, "MOST_MEMBERS", 15)
    assert run_comparison.measure_difference("r", first, other).note == "No test: the runs have too many clips."
