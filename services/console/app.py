"""The ASGI application: pages for a browser and the API for programs, at the same addresses."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.access.failed_logins import FailedLogins
from services.console.access.login_routes import LoginPages
from services.console.access.persons import PersonRegister
from services.console.api.clip_routes import ClipApi
from services.console.api.compare_routes import CompareApi
from services.console.api.letter_routes import LetterApi
from services.console.api.routes import ApiRoutes
from services.console.api.upload_routes import UploadRoutes
from services.console.api.video_routes import VideoApi
from services.console.api.withdrawal_routes import WithdrawalApi
from services.console.clips.artifact_reader import ArtifactReader
from services.console.clips.clip_pictures import ClipDrawer
from services.console.clips.clip_reader import ClipReader
from services.console.clips.drawing_thread import DrawingThread
from services.console.letter_desk import LetterDesk
from services.console.middleware import AccessMiddleware
from services.console.pages.api_reference import ApiReference
from services.console.pages.clip_routes import ClipPages
from services.console.pages.compare_routes import ComparePages
from services.console.pages.letter_routes import LetterPages
from services.console.pages.page_routes import PageRoutes
from services.console.pages.run_routes import RunPages
from services.console.pages.status_feed import StatusFeed
from services.console.pages.upload_routes import UploadPages
from services.console.pages.video_routes import VideoPages
from services.console.pages.withdrawal_routes import WithdrawalPages
from services.console.path_prefix import PrefixMiddleware
from services.console.problems import EXCEPTION_HANDLERS, Problem, wants_page
from services.console.runs.fold_curves import CurveReader
from services.console.runs.run_comparison import RunComparer
from services.console.runs.run_deleter import RunDeleter
from services.console.runs.run_reader import RunReader
from services.console.runs.run_starter import RunStarter
from services.console.uploads.desk import UploadDesk
from services.console.uploads.records import Target
from services.console.videos.view_reader import ViewReader
from services.console.withdrawals.desk import WithdrawalDesk
from shared.store import Store

OPENAPI_PATH = "/openapi.json"
CLIP_FILES = re.compile("/datasets/[^/]+/clips/[^/]+/[^/]+/(pictures|artifacts)/")  # no pages, whoever opens them
PAGES_ONLY = ("/events", "/login", "/logout", "/static/", "/videos/")  # where there is nothing else for a program
COMMON_HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class ConsoleOptions:
    """How the console answers. `device` selects the model of a request that names none.

    `hosts` are the names by which it may be called. Without a `token` and without persons in the file `people`, every
    client is accepted.
    `run_folder` is the folder of an embedded run, "" for a stack: there nobody would train a run that was requested.
    `root_path` is the path below which a proxy shows the console. `buckets` take uploads. Without them each upload is
    refused.
    """

    hosts: Set[str] = frozenset({"localhost"})
    token: str = ""
    people: Path | None = None
    root_path: str = ""
    device: str = "cpu"
    scratch: Path | None = None
    run_folder: str = ""
    buckets: Mapping[Target, Store] = field(default_factory=dict)


def create_application(feed: StatusFeed, options: ConsoleOptions) -> PrefixMiddleware:
    """Build the ASGI application over a feed and its reader. The caller closes the feed."""
    reader, store = feed.reader, feed.reader.state.store
    runs = RunReader(store, options.scratch, reader.timeout_seconds)
    persons, failures = PersonRegister(options.token, options.people), FailedLogins()
    uploads = UploadDesk(options.buckets, store) if options.buckets else None
    artifacts = ArtifactReader(store, options.scratch, reader.timeout_seconds)
    thread = DrawingThread(reader.timeout_seconds)
    letters, clips, drawer = LetterDesk(reader, artifacts), ClipReader(store), ClipDrawer(artifacts, thread)
    starter, comparer, curves = RunStarter(reader, runs, options.device), RunComparer(runs), CurveReader(runs)
    deleter, withdrawals = RunDeleter(reader), WithdrawalDesk(reader)
    api_parts: list[ApiPart] = [
        LetterApi(feed, letters),
        CompareApi(reader, comparer, curves),
        ClipApi(reader, clips, drawer),
        UploadRoutes(reader, uploads, options.scratch),
        WithdrawalApi(reader, withdrawals),
        VideoApi(feed),
    ]
    api = create_api(ApiRoutes(reader, runs, starter, deleter), api_parts, not options.run_folder, options.root_path)
    parts = (
        ApiReference(feed, api.openapi),
        LoginPages(persons, failures),
        VideoPages(feed, ViewReader(artifacts, thread), options.run_folder),
        UploadPages(feed, reader, uploads),
        WithdrawalPages(feed, withdrawals),
        LetterPages(feed, letters, options.run_folder),
        ClipPages(feed, clips, drawer),
        ComparePages(feed, comparer),  # before `/runs/{run}`
        RunPages(feed, starter, deleter, curves, options.run_folder),
        PageRoutes(feed, reader, runs, options.run_folder),
    )
    pages = Starlette(
        routes=[route for part in parts for route in part.list_routes()], exception_handlers=EXCEPTION_HANDLERS
    )
    access = AccessMiddleware(ClientChoice(pages, api), options.hosts, persons, failures)
    return PrefixMiddleware(access, options.root_path)


class ApiPart(Protocol):
    """Routes of the API that have one subject in common."""

    def add_routes(self, router: APIRouter) -> None: ...


def create_api(routes: ApiRoutes, parts: Sequence[ApiPart], starts_runs: bool = True, root_path: str = "") -> FastAPI:
    """Build the API. FastAPI's own pages of documentation load scripts from elsewhere, so `ApiReference` has ours."""
    api = DescribedApi(
        title="merstream",
        version="1",
        openapi_url=OPENAPI_PATH,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": root_path}] if root_path else None,
        exception_handlers=EXCEPTION_HANDLERS,
    )
    router = APIRouter()
    for part in parts:  # before `/runs/{run}`, which takes every address below `/runs`
        part.add_routes(router)
    api.include_router(router)
    api.include_router(routes.build_router(starts_runs))
    return api


def describe_api() -> dict[str, Any]:
    """The OpenAPI description. No route is called, so none needs a state."""
    unused: Any = None
    parts: list[ApiPart] = [
        LetterApi(unused, unused),
        CompareApi(unused, unused, unused),
        ClipApi(unused, unused, unused),
        UploadRoutes(unused, None, None),
        WithdrawalApi(unused, unused),
        VideoApi(unused),
    ]
    return create_api(ApiRoutes(unused, unused, unused, unused), parts).openapi()


class DescribedApi(FastAPI):
    """FastAPI whose description also has the schema of its problems."""

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        described["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return described


@dataclass(frozen=True)
class ClientChoice:
    """ASGI application. A browser that opens an address or sends a form gets `pages`, where they know the address.

    Everybody else gets `api`, which also tells a browser what is not there.
    """

    pages: Starlette
    api: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in COMMON_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        chosen: ASGIApp = self.pages if scope["type"] == "http" and self._is_for_pages(scope) else self.api
        await chosen(scope, receive, send_with_headers)

    def _is_for_pages(self, scope: Scope) -> bool:
        if scope["path"] == "/" or scope["path"].startswith(PAGES_ONLY):
            return True
        if not wants_page(scope) or CLIP_FILES.match(scope["path"]):
            return False
        return any(route.matches(scope)[0] is Match.FULL for route in self.pages.routes)
