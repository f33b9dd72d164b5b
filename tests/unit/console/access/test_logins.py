"""Persons, their roles and their logins, over real HTTP."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from services.console.access import failed_logins, persons
from services.console.access.login_routes import choose_target
from services.console.access.persons import COOKIE_NAME, PersonRegister
from services.console.access.route_roles import READING_METHODS, ROLE_BY_ROUTE, find_role
from services.console.access.visitor import Role
from services.console.app import ConsoleOptions, create_application
from services.console.pages.status_feed import StatusFeed
from services.console.state_reader import StateReader
from shared.errors import Misconfigured
from shared.pipeline_state import PipelineState
from tests.unit.console.conftest import Answer, Client

ANNA, BEN, CHRIS = (f"{name}-{'0123456789abcdef' * 2}" for name in ("anna", "ben", "chris"))
DEPLOYMENT = "the token of the deployment"


@pytest.fixture
def people(tmp_path: Path) -> Path:
    file = tmp_path / "people.txt"
    hashed = sha256(BEN.encode()).hexdigest()
    file.write_text(f"# who may do what\nanna look {ANNA}\n\nben run {hashed}\nchris administer {CHRIS} # the owner\n")
    return file


@pytest.fixture
def client(api: Callable[..., Client], people: Path) -> Client:
    return api(api_people=people, api_token=DEPLOYMENT)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def cookie_of(answer: Answer) -> dict[str, str]:
    return {"Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


@pytest.mark.parametrize(
    ("token", "started"), [(ANNA, 403), (BEN, 404), (CHRIS, 404), ("the token of the deployment", 404)]
)
def test_a_role_says_what_one_may_do(client: Client, token: str, started: int) -> None:
    assert client.get("/runs", **bearer(token)).status == 200
    answer = client.ask_json("/runs", {"datasets": ["none"]}, **bearer(token))
    assert answer.status == started
    if started == 403:
        assert answer.detail == "Expected the role run or a higher one, anna has the role look."


def test_what_is_in_no_table_is_for_administrators(client: Client) -> None:
    assert [client.submit("/unknown", **bearer(token)).status for token in (ANNA, BEN, CHRIS)] == [403, 403, 404]


def flatten_routes(routes: Iterable[Any]) -> Iterator[Any]:
    """All routes, those of included routers too."""
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from flatten_routes(inner.routes) if inner else [route]


def test_every_route_that_changes_something_has_its_least_role(lab: Any) -> None:
    feed = StatusFeed(StateReader(PipelineState(lab.bus, lab.store), 5), 1, threading.Event())
    choice: Any = create_application(feed, ConsoleOptions()).app.app  # type: ignore[attr-defined]
    found = {
        (method, route.path)
        for application in (choice.pages, choice.api)
        for route in flatten_routes(application.routes)
        for method in getattr(route, "methods", None) or ()
        if method not in READING_METHODS
    }
    assert found == set(ROLE_BY_ROUTE)
    assert find_role("PUT", "/uploads/stored/datasets/a/b/c.jpg") is Role.RUN
    assert find_role("DELETE", "/runs/1") is Role.ADMINISTER
    assert find_role("GET", "/anything") is Role.LOOK
    feed.close()


def test_a_person_logs_in_and_out(client: Client) -> None:
    asked = client.open("/runs?search=x")
    assert (asked.status, asked.headers["Location"]) == (303, "/login?next=%2Fruns%3Fsearch%3Dx")
    form = client.open("/login?next=%2Fruns%3Fsearch%3Dx")
    assert (form.status, 'value="/runs?search=x"' in form.text) == (200, True)
    assert client.get("/static/console.css").status == 200
    answer = client.log_in(BEN, "/runs?search=x")
    assert (answer.status, answer.headers["Location"]) == (303, "/runs?search=x")
    stated = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(stated.split("; "))
    assert "Secure" not in stated
    assert "Secure" in client.log_in(BEN, **{"X-Forwarded-Proto": "https"}).headers["Set-Cookie"]
    page = client.open("/runs", **cookie_of(answer))
    assert (page.status, "ben" in page.text, "Log out" in page.text) == (200, True, True)
    assert client.ask_json("/runs", {"datasets": ["none"]}, **cookie_of(answer)).status == 404
    gone = client.submit("/logout", Accept="text/html", **cookie_of(answer))
    assert (gone.status, f'{COOKIE_NAME}=""' in gone.headers["Set-Cookie"]) == (303, True)


def test_a_cookie_cannot_be_made_up_and_ends(client: Client, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = cookie_of(client.log_in(ANNA))["Cookie"]
    _, end, signature = good.removeprefix(f"{COOKIE_NAME}=").split(".")
    for bad in (f"ben.{end}.{signature}", f"anna.{int(end) + 9}.{signature}", f"anna.{end}.", "anna", "", f"{end}.é"):
        assert client.get("/runs", Cookie=f"{COOKIE_NAME}={bad}".encode()).status == 401  # type: ignore[arg-type]
    assert client.get("/runs", Cookie=good).status == 200
    people.write_text(f"anna look {ANNA[::-1]}\n")
    assert client.get("/runs", Cookie=good).status == 401, "another token ends the login"
    people.write_text(f"anna look {ANNA}\n")
    assert client.get("/runs", Cookie=good).status == 200
    now = time.time()
    monkeypatch.setattr(persons.time, "time", lambda: now + persons.SESSION_SECONDS + 60)
    assert client.get("/runs", Cookie=good).status == 401


def test_wrong_tokens_are_limited_and_lock_nobody_out(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, failed_logins.__name__)
    many = 2 * failed_logins.MOST_FAILURES + 2  # a minute may end among them
    statuses = [client.log_in("wrong").status for _ in range(many)]
    assert (statuses[0], 429 in statuses) == (401, True)
    assert len(caplog.records) < many
    assert client.log_in(ANNA).status == 303
    answers = [client.get("/runs", **bearer("wrong")) for _ in range(many)]
    assert 429 in [answer.status for answer in answers]
    assert client.get("/runs", **bearer(ANNA)).status == 200


def test_one_looks_without_buttons_that_one_may_not_press(client: Client) -> None:
    assert "anna may look" in client.open("/uploads", **bearer(ANNA)).text
    assert "anna may look" not in client.open("/uploads", **bearer(BEN)).text


def test_who_logged_in_and_who_tried_is_in_the_log(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client.log_in(BEN)
    client.log_in("wrong")
    noted = [(record.getMessage(), record.mer) for record in caplog.records if hasattr(record, "mer")]  # type: ignore[attr-defined]
    assert ("logged in", {"stage": "console", "person": "ben"}) in noted
    assert ("login failed", {"stage": "console", "address": "127.0.0.1"}) in noted
    assert BEN not in caplog.text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("anna look", "NAME ROLE TOKEN"),
        (f"anna owner {ANNA}", "look, run, administer"),
        (f"an/na look {ANNA}", "letters, digits"),
        ("anna look short", "20 characters"),
        (f"anna look {ANNA}\nanna run {BEN}", "each name once"),
        (f"administrator look {ANNA}", "not administrator"),
    ],
)
def test_a_wrong_line_is_told_without_its_token(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "people").write_text(line + "\n")
    with pytest.raises(Misconfigured, match="MER_API_PEOPLE") as refusal:
        PersonRegister("", tmp_path / "people")
    assert said in str(refusal.value)
    assert ANNA not in str(refusal.value)


def test_a_file_that_becomes_faulty_changes_nothing(people: Path, caplog: pytest.LogCaptureFixture) -> None:
    register = PersonRegister("", people)
    people.write_text("anna\n")
    assert [person.name for person in register.list_persons()] == ["anna", "ben", "chris"]
    assert "persons known so far stay" in caplog.text
    people.unlink()
    assert register.list_persons() == []


@pytest.mark.parametrize("given", ["//evil.example", "https://evil.example", "/\\evil.example", "", "runs", "/a\nb"])
def test_a_login_leads_to_this_console_alone(given: str) -> None:
    assert choose_target(given) == "/"


@pytest.mark.parametrize("loses", ["its lines", "itself"])
def test_a_file_that_loses_its_persons_opens_nothing(loses: str, tmp_path: Path) -> None:
    file = tmp_path / "people"
    assert not PersonRegister("", file).asks_for_login()
    file.write_text(f"anna run {'a' * 24}\n")
    register = PersonRegister("", file)
    assert register.asks_for_login()
    if loses == "itself":
        file.unlink()
    else:
        file.write_text("# nobody\n")
    assert register.list_persons() == []
    assert register.asks_for_login()
