"""The form that starts a run: what it asks for, what becomes of it, and how a run fills it again."""

import html
import json
import re

import pytest
from starlette.datastructures import ImmutableMultiDict

from services.console.api.responses import RunAnswer
from services.console.pages.run_form import fill_form, list_groups, read_request
from services.console.runs.run_reader import RunDetails
from shared.bus.local import LocalBus
from shared.run_contents import RunContents
from shared.store import LocalStore
from shared.training.model_settings import ModelSettings
from shared.training.options import resolve_options
from shared.training.protocol import ProtocolSettings
from shared.training.settings import TrainSettings
from tests.unit.console.conftest import Client, api, served
from tests.unit.console.drawn_stack import DONE, fill_stack
from tests.unit.trainer.conftest import lab, trainer
from tests.unit.trainer.lab import Lab

__all__ = ["api", "lab", "trainer"]
MAJORITY = (("datasets", "toy"), ("model", "majority"))


@pytest.fixture
def dropped(lab: Lab) -> Lab:
    lab.extract()
    lab.drop(complete=True)
    return lab


def read_controls(page: str) -> dict[str, str]:
    """What a browser would send of the form on a page, without what is empty."""
    found = {}
    for name, value in re.findall(r'<input id="[^"]+" name="([^"]+)" value="([^"]+)"', page):
        found[name] = html.unescape(value)
    for name, body in re.findall(r'<select id="[^"]+" name="([^"]+)"[^>]*>(.*?)</select>', page, re.S):
        if chosen := re.findall(r'<option value="([^"]+)" selected>', body):
            found[name] = html.unescape(chosen[0])
    return found


def test_the_form_has_every_setting_with_its_description_bounds_and_choices(dropped: Lab, api) -> None:  # type: ignore[no-untyped-def]
    page = html.unescape(api().open("/runs/new").text)
    own = {f"settings.{name}" for name in TrainSettings.model_fields if name not in ("model", "seed", "network")}
    network = {f"settings.network.{name}" for name in ModelSettings.model_fields}
    protocol = {f"settings.{name}" for name in ProtocolSettings.model_fields if name != "name"}
    named = set(re.findall(r'<(?:input|select|textarea) id="([^"]+)"', page))
    assert named == own | network | protocol | {
        *("pipeline", "profile", "model", "protocol", "seed", "seeds", "classes", "partial")
    }
    for name, info in (*TrainSettings.model_fields.items(), *ModelSettings.model_fields.items()):
        assert name in ("model", "seed", "network") or str(info.description).replace("`", "") in page
    assert 'name="settings.epochs" value="" type="number" step="1" min="1" max="10000"' in page
    assert "Allowed: more than 0, at most 10. Left empty: 0.004 or 0.0003 or 0.0001" in page
    assert '<option value="late-exponential">' in page
    assert '<option value="k-fold">' in page
    assert '<option value="corrected">' in page
    assert '<option value="corrected-fmer">' not in page, "the model chooses it"


def test_a_filled_form_is_the_run_of_the_same_request(dropped: Lab, api) -> None:  # type: ignore[no-untyped-def]
    client = api()
    fields = {
        *(("protocol", "k-fold"), ("settings.folds", "2"), ("seed", "3"), ("seeds", "2"), ("partial", "yes")),
        *(("settings.epochs", "7"), ("settings.mirror", "no"), ("settings.network.map_head", "none")),
        *(("classes", "surprise, disgust"), ("settings.gamma", " "), ("settings.datasets", " toy = casme2\r\n")),
    }
    sent = client.send_form("/runs/new", *MAJORITY, *fields)
    settings = {
        "folds": 2,
        "epochs": 7,
        "mirror": False,
        "network": {"map_head": "none"},
        "datasets": {"toy": "casme2"},
    }
    wanted = {"protocol": "k-fold", "seed": 3, "seeds": 2, "partial": True, "classes": ["surprise", "disgust"]}
    asked = client.post(datasets=["toy"], model="majority", settings=settings, **wanted)
    assert (sent.status, sent.headers["Location"]) == (303, asked.json["url"])
    assert dropped.published("mer.runs") == 1


@pytest.mark.parametrize(
    ("fields", "status", "said", "wrong"),
    [
        ([("settings.epochs", "0")], 422, "epochs '0': Input should be greater than or equal to 1", "settings.epochs"),
        ([("seed", "x<b>")], 422, "seed 'x<b>': Input should be a valid integer", "seed"),
        ([("settings.network.map_head", "best")], 422, "network.map_head 'best'", "settings.network.map_head"),
        ([("protocol", "split")], 422, "Protocol split needs test_subjects", ""),
        ([("datasets", "casme")], 404, "No dataset 'casme' was dropped; there are toy.", ""),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_refusal_shows_the_form_as_it_was_filled(fields, status, said, wrong, dropped: Lab, api) -> None:  # type: ignore[no-untyped-def]
    answer = api().send_form("/runs/new", *MAJORITY, ("settings.batch", "5"), *fields)
    page = html.unescape(answer.text)
    assert (answer.status, said in page) == (status, True)
    assert 'name="settings.batch" value="5"' in page
    assert 'value="toy" checked' in page
    assert re.findall(r'name="([^"]+)"[^>]* aria-invalid', answer.text) == ([wrong] if wrong else [])
    assert dropped.published("mer.runs") == 0


def test_clips_in_work_and_a_form_without_a_dataset_are_refused(lab: Lab, api) -> None:  # type: ignore[no-untyped-def]
    lab.extract(lab.clips[:4])
    lab.drop()
    client = api()
    waiting = client.send_form("/runs/new", *MAJORITY)
    assert (waiting.status, "2 of 6 clips have no features yet" in waiting.text) == (409, True)
    empty = client.send_form("/runs/new", ("model", "majority"))
    assert (empty.status, "no dataset is chosen" in empty.text) == (422, True)
    assert client.send_form("/runs/new", *MAJORITY, ("partial", "yes")).status == 303


def test_a_run_that_is_repeated_as_it_was_is_the_same_run(dropped: Lab, api, trainer) -> None:  # type: ignore[no-untyped-def]
    client, one = api(), trainer()
    settings = {"epochs": 9, "network": {"graph": False}, "folds": 2, "test_factor": 2.5}
    run = client.post(
        datasets=["toy"], model="linear", profile="paper", protocol="k-fold", seed=4, seeds=2, settings=settings
    ).json
    one.work()
    assert f'href="/runs/new?repeat={run["id"]}"' in client.open(run["url"]).text
    page = client.open(f"/runs/new?repeat={run['id']}").text
    controls = read_controls(page)
    assert controls == {
        "profile": "paper",
        "model": "linear",
        "protocol": "k-fold",
        "pipeline": run["pipeline"],
        "seed": "4",
        "seeds": "2",
        "settings.folds": "2",
        "settings.epochs": "9",
        "settings.network.graph": "no",
        "settings.test_factor": "2.5",
    }
    sent = client.send_form("/runs/new", ("datasets", "toy"), *controls.items())
    assert sent.headers["Location"] == run["url"]
    other = client.send_form("/runs/new", ("datasets", "toy"), *(controls | {"seed": "5"}).items())
    assert (other.status, other.headers["Location"] != run["url"]) == (303, True)
    assert client.open(f"/runs/new?repeat={'0' * 32}").status == 404


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "paper", "model": "fmer", "jitter": 0.25},
        {
            "profile": "corrected",
            "model": "htnet",
            "oracle": False,
            "protocol": "split",
            "test_subjects": ["s 1", "s2"],
        },
        {"profile": "corrected", "model": "fmer", "network": {"graph": False}, "classes": ["fear", "anger"]},
        {"profile": "paper", "model": "ststnet", "distinct": True, "datasets": {"my lab": "casme2"}},
    ],
    ids=lambda options: str(options["model"]),
)
def test_what_fills_the_form_reads_back_as_the_same_options(options: dict[str, object]) -> None:
    profile, changes = str(options["profile"]), {name: each for name, each in options.items() if name != "profile"}
    wanted = resolve_options(profile, changes, "cpu")
    contents = RunContents(
        dataset="a+b",
        pipeline="0" * 12,
        settings=wanted.settings.model_dump(mode="json"),
        protocol=wanted.protocol.model_dump(mode="json"),
    )
    stored = json.loads(contents.encode())
    details = RunDetails(stored["settings"], stored["protocol"], classes=wanted.classes)
    answer = RunAnswer.model_construct(
        dataset="a+b", pipeline="0" * 12, model=wanted.settings.model, protocol=wanted.protocol.name, seed=0, seeds=1
    )
    form = fill_form(answer, details)
    request = read_request(form)
    assert request.datasets == ("a", "b")
    again = resolve_options(str(request.profile), request.merge_options(), "cpu")
    assert again == wanted
    asked = {field.name for group in list_groups() for field in group.fields}
    assert set(ImmutableMultiDict(form)) <= asked | {"datasets"}


def test_an_embedded_run_has_no_form(tmp_path) -> None:  # type: ignore[no-untyped-def]
    bus, store = LocalBus(tmp_path / "bus.sqlite"), LocalStore(tmp_path / "store")
    fill_stack(bus, store)
    with served(bus, store, run_folder=str(tmp_path)) as client:
        _expect_no_form(client)
    bus.close()


def _expect_no_form(client: Client) -> None:
    assert client.send_form("/runs/new", *MAJORITY).status in (404, 405)
    for path in ("/runs", f"/runs/{DONE}", "/datasets/lab-2026"):
        assert "/runs/new" not in client.open(path).text
