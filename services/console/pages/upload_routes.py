"""The page of uploads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from services.console.pages.rendering import render_page
from services.console.pages.status_feed import StatusFeed
from services.console.state_reader import StateReader
from services.console.uploads.desk import SMALL_FILE_BYTES, UploadDesk
from services.console.uploads.form_body import LARGEST_FORM_BYTES
from shared.inbox.dataset_plan import DatasetPlan
from shared.inbox.names import ARCHIVES, PLAN
from shared.protocols.catalogue import PROTOCOL_BY_NAME
from shared.records import RunResult
from shared.training.protocol import GENERIC_PROTOCOLS, ProtocolSettings
from shared.training.settings import TrainSettings
from shared.video_records import SHIPPED_NAME, VideoPlan

MOST_MODELS = 100  # runs that a video may be recognised by, the newest ones
MODEL_HELP = "What recognises the events: the shipped model, or a finished run of this stack."


@dataclass(frozen=True)
class SettingField:
    """One field of a form. It has `choices`, by value what a person reads, or is a text, a number or a switch."""

    name: str
    label: str
    help: str
    default: str
    kind: str = "text"
    choices: Mapping[str, str] = field(default_factory=dict)


class UploadPages:
    """The page on which datasets and videos are uploaded. `desk` is None over an embedded run."""

    def __init__(self, feed: StatusFeed, reader: StateReader, desk: UploadDesk | None) -> None:
        self.feed, self.reader, self.desk = feed, reader, desk

    def list_routes(self) -> Sequence[BaseRoute]:
        return [Route("/uploads", self.show_uploads), Route("/upload", self.lead_to_uploads)]

    async def lead_to_uploads(self, request: Request) -> Response:
        return RedirectResponse("/uploads", 308)

    async def show_uploads(self, request: Request) -> Response:
        moment = await self.feed.read_moment()
        uploads = await self.reader.run_work(self.desk.list_uploads) if self.desk else []
        return render_page(
            "uploads.html.j2",
            digest=moment.digest,
            letter_count=len(moment.letters),
            possible=self.desk is not None,
            uploads=uploads,
            target="videos" if request.query_params.get("to") == "videos" else "datasets",
            fields={"datasets": dataset_fields(), "videos": video_fields(moment.snapshot.results.values())},
            plan_name=PLAN,
            archives=ARCHIVES,
            small_bytes=SMALL_FILE_BYTES,
            form_bytes=LARGEST_FORM_BYTES,
        )


def dataset_fields() -> Sequence[SettingField]:
    """What one can choose for a dataset. Its `merstream.json` may say more."""
    return [
        _describe_field(DatasetPlan, "profile", "Profile"),
        _describe_field(TrainSettings, "model", "Model"),
        _describe_field(ProtocolSettings, "name", "Protocol", "protocol", (*GENERIC_PROTOCOLS, *PROTOCOL_BY_NAME)),
        _describe_field(TrainSettings, "seed", "Seed"),
    ]


def video_fields(results: Iterable[RunResult]) -> Sequence[SettingField]:
    """What one can choose for a video: its whole plan. The models are the shipped one and those of finished runs."""
    done = sorted((each for each in results if each.status == "done"), key=lambda each: each.created, reverse=True)
    models = {SHIPPED_NAME: "shipped"} | {each.run: _name_model(each) for each in done[:MOST_MODELS]}
    labels = {"subject": "Person", "fps": "Frames per second", "force": "Accept a slow recording"}
    plain = [_describe_field(VideoPlan, name, label) for name, label in labels.items()]
    return [replace(_describe_field(VideoPlan, "model", "Model"), choices=models, help=MODEL_HELP), *plain]


def _name_model(result: RunResult) -> str:
    own = result.figures.get(result.model)
    figure = f", UF1 {own.uf1:.3f}" if own else ""
    return f"{result.model} on {result.dataset}, seed {result.seed}{figure} ({result.run[:8]})"


def _describe_field(
    model: type[BaseModel], field: str, label: str, name: str = "", choices: Sequence[str] = ()
) -> SettingField:
    """A field as its model describes it."""
    facts = model.model_fields[field]
    kinds: dict[Any, str] = {bool: "checkbox", int: "number", float | None: "number"}
    default = "" if facts.default is None else str(facts.default)
    sentence = (facts.description or "").replace("`", "").rstrip(".") + "."
    found = choices or (() if facts.annotation in kinds else get_args(facts.annotation))
    texts = {each: each for each in found if isinstance(each, str)}
    kind = kinds.get(facts.annotation, "text")
    return SettingField(name or field, label, sentence, default, kind, texts)
