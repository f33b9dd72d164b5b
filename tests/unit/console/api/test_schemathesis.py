"""Requests drawn from the API's own description: none ends in an error of the server, and each answer is as described.

Schemathesis draws them, valid and invalid ones. The seed is fixed, so the same requests are sent each time.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import schemathesis
from hypothesis import Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.console.app import ConsoleOptions, create_application, describe_api
from services.console.pages.status_feed import StatusFeed
from services.console.path_prefix import PrefixMiddleware
from services.console.state_reader import StateReader
from services.console.uploads.records import Target
from shared.bus.local import LocalBus
from shared.pipeline_state import PipelineState
from shared.store import LocalStore, Store
from tests.unit.console.conftest import CALM
from tests.unit.console.drawn_stack import DONE, FAILED, HOSTILE_NAME, TRAINING, fill_stack

CHECKS = (
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
EXAMPLES = 60  # requests of each route


schema = schemathesis.openapi.from_dict(describe_api())


def choose_known(drawn: Any, known: Sequence[str]) -> Any:
    """Half of all drawn texts become names that exist, so that answers are not all 404."""
    number = sum(map(ord, drawn)) if isinstance(drawn, str) else 0
    return known[number // 2 % len(known)] if number % 2 else drawn


@schema.hook
def map_path_parameters(context: schemathesis.HookContext, path_parameters: Any) -> Any:
    known = {"run": (DONE, FAILED, TRAINING), "name": ("report.json", "run.json", "predictions.csv")}
    given = (path_parameters or {}).items()
    return {name: choose_known(drawn, known[name]) if name in known else drawn for name, drawn in given}


@schema.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    if isinstance(body, dict) and isinstance(body.get("datasets"), list):
        body["datasets"] = [choose_known(name, ("lab-2026", HOSTILE_NAME, "twice")) for name in body["datasets"]]
    return body


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefixMiddleware]:
    """The console in this process, over a stack in every state."""
    folder = tmp_path_factory.mktemp("stack")
    bus, store = LocalBus(folder / "bus.sqlite"), LocalStore(folder / "store")
    fill_stack(bus, store)
    feed = StatusFeed(StateReader(PipelineState(bus, store), CALM), 0, threading.Event())
    buckets: dict[Target, Store] = {"datasets": LocalStore(folder / "inbox"), "videos": LocalStore(folder / "videos")}
    yield create_application(feed, ConsoleOptions(hosts=frozenset({"*"}), buckets=buckets))
    feed.close()
    feed.reader.state.close()
    bus.close()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES, derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
)
def test_every_answer_is_as_described(case: schemathesis.Case, application: PrefixMiddleware) -> None:
    case.call_and_validate(app=application, checks=CHECKS)
