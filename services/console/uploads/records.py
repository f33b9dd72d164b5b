"""What is asked and answered about uploads."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import AwareDatetime, Field

from services.console.access.visitor import VISITOR
from shared.records import FrozenModel, json_digest
from shared.store.parts import PartedPut

Target = Literal["datasets", "videos"]


class UploadRequest(FrozenModel):
    """A file to upload in parts. The same request is the same upload, so it also says what is there already."""

    to: Target = Field(description="`datasets` for a dataset or its archive, `videos` for a video to predict.")
    name: str = Field(description="Path in the bucket: `DATASET/FOLDER/FILE`, `DATASET.zip` or `VIDEO.mp4`.")
    size: int = Field(ge=1, description="Bytes of the file.")
    modified: int = Field(0, ge=0, description="When the file was changed, in any unit. Another time, another upload.")

    @property
    def id(self) -> str:
        return json_digest(self.model_dump())[:32]


class UploadRecord(FrozenModel):
    """An upload that has begun, as it is stored. `put` is the store's name of it."""

    request: UploadRequest
    put: str
    part_bytes: int
    person: str = Field(default_factory=lambda: VISITOR.get().name)
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def parted(self) -> PartedPut:
        return PartedPut(self.request.name, self.put, self.part_bytes)


class UploadAnswer(FrozenModel):
    """An upload that has begun. `parts` are the numbers of those that are stored. The first part is 1."""

    id: str
    url: str
    to: Target
    name: str
    size: int
    part_bytes: int = Field(description="Bytes of each part but the last.")
    parts: tuple[int, ...]
    stored: int = Field(description="Bytes of these parts.")
    person: str
    created: AwareDatetime


class StoredAnswer(FrozenModel):
    """A file that is whole in the bucket."""

    to: Target
    name: str
    size: int


class NamesRequest(FrozenModel):
    """Names to check before an upload: paths in the bucket."""

    to: Target
    names: tuple[str, ...] = Field(max_length=5000)


class NamesAnswer(FrozenModel):
    """For each name its rank: files of rank 0 are sent first. Null for a file that the inbox would ignore.

    `faults` has a sentence for each name that nobody may upload.
    """

    ranks: tuple[int | None, ...]
    faults: Mapping[str, str]


class PlanRequest(FrozenModel):
    """The settings of a dataset or a video, for its `merstream.json`."""

    to: Target
    name: str = Field(description="Name of the dataset, or of the video's file.")
    settings: dict[str, Any] = Field(
        {}, description="For a dataset: `profile` and training options. For a video: the fields of its plan."
    )
    own: str | None = Field(None, description="Text of the dataset's own `merstream.json`. `settings` replace its own.")
    check: bool = Field(False, description="Store nothing, only check.")
