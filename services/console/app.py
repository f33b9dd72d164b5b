"""The ASGI application: pages for a browser and the API for programs, at the same addresses."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.access.failed_logins import FailedLogins
from services.console.access.login_routes import LoginPages
from services.console.access.persons import PersonRegister
from services.console.api.routes import ApiRoutes
from services.console.api.upload_routes import UploadRoutes
from services.console.middleware import AccessMiddleware
from services.console.pages.page_routes import PageRoutes
from services.console.pages.status_feed import StatusFeed
from services.console.pages.upload_routes import UploadPages
from services.console.path_prefix import PrefixMiddleware
from services.console.problems import EXCEPTION_HANDLERS, Problem, wants_page
from services.console.run_reader import RunReader
from services.console.uploads.desk import UploadDesk
from services.console.uploads.records import Target
from shared.store import Store

OPENAPI_PATH = "/openapi.json"
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
    reader = feed.reader
    runs = RunReader(reader.state.store, options.scratch, reader.timeout_seconds)
    persons, failures = PersonRegister(options.token, options.people), FailedLogins()
    desk = UploadDesk(options.buckets, reader.state.store) if options.buckets else None
    uploads = UploadRoutes(reader, desk, options.scratch)
    page_routes = [
        *LoginPages(persons, failures).list_routes(),
        *UploadPages(feed, reader, desk).list_routes(),
        *PageRoutes(feed, reader, runs, options.run_folder).list_routes(),
    ]
    pages = Starlette(routes=page_routes, exception_handlers=EXCEPTION_HANDLERS)
    api = create_api(ApiRoutes(reader, runs, options.device), uploads, not options.run_folder, options.root_path)
    access = AccessMiddleware(ClientChoice(pages, api), options.hosts, persons, failures)
    return PrefixMiddleware(access, options.root_path)


def create_api(routes: ApiRoutes, uploads: UploadRoutes, starts_runs: bool = True, root_path: str = "") -> FastAPI:
    """Build the API. It serves its description, but no page of documentation: FastAPI's load scripts from elsewhere."""
    api = DescribedApi(
        title="merstream",
        version="1",
        openapi_url=OPENAPI_PATH,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": root_path}] if root_path else None,
        exception_handlers=EXCEPTION_HANDLERS,
    )
    api.include_router(routes.build_router(starts_runs))
    api.include_router(uploads.build_router())
    return api


def describe_api() -> dict[str, Any]:
    """The OpenAPI description. No route is called, so none needs a state."""
    unused: Any = None
    return create_api(ApiRoutes(unused, unused, "cpu"), UploadRoutes(unused, None, None)).openapi()


class DescribedApi(FastAPI):
    """FastAPI whose description also has the schema of its problems."""

    def openapi(self) -> dict[str, Any]:
        described = super().openapi()
        described["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return described


@dataclass(frozen=True)
class ClientChoice:
    """ASGI application. A browser that opens an address gets `pages`, every other client gets `api`."""

    pages: ASGIApp
    api: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in COMMON_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        chosen = self.pages if scope["type"] == "http" and _is_for_pages(scope) else self.api
        await chosen(scope, receive, send_with_headers)


def _is_for_pages(scope: Scope) -> bool:
    path = scope["path"]
    if path in ("/", "/events", "/login", "/logout") or path.startswith(("/static/", "/videos", "/dead-letters")):
        return True
    reads = scope["method"] in ("GET", "HEAD")  # a form sends its request to the API, which leads to a page
    return wants_page(scope) and reads and path != OPENAPI_PATH
