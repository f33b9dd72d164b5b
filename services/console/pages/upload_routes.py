"""The page of uploads."""

from collections.abc import Sequence
from dataclasses import dataclass
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
from shared.training.protocol import GENERIC_PROTOCOLS, ProtocolSettings
from shared.training.settings import TrainSettings
from shared.video_records import VideoPlan


@dataclass(frozen=True)
class SettingField:
    """One field of a form. It has `choices`, or is a text, a number or a switch."""

    name: str
    label: str
    help: str
    default: str
    kind: str = "text"
    choices: Sequence[str] = ()


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
            fields={"datasets": dataset_fields(), "videos": video_fields()},
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


def video_fields() -> Sequence[SettingField]:
    """What one can choose for a video: its whole plan."""
    labels = {"model": "Model", "subject": "Person", "fps": "Frames per second", "force": "Accept a slow recording"}
    return [_describe_field(VideoPlan, name, label) for name, label in labels.items()]


def _describe_field(
    model: type[BaseModel], field: str, label: str, name: str = "", choices: Sequence[str] = ()
) -> SettingField:
    """A field as its model describes it."""
    facts = model.model_fields[field]
    kinds: dict[Any, str] = {bool: "checkbox", int: "number", float | None: "number"}
    default = "" if facts.default is None else str(facts.default)
    sentence = (facts.description or "").replace("`", "").rstrip(".") + "."
    found = choices or (() if facts.annotation in kinds else get_args(facts.annotation))
    texts = [each for each in found if isinstance(each, str)]
    kind = kinds.get(facts.annotation, "text")
    return SettingField(name or field, label, sentence, default, kind, texts)
