"""The contents of a run: a run.json, of a stack and of `mer train` alike."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import takewhile
from typing import IO, Annotated, Any, Literal

from pydantic import Field, JsonValue, ValidatorFunctionWrapHandler, WrapValidator

from shared.records import ActionUnit, Envelope, FrozenModel, Record

_FEATURES_FIELD = b'"features":'


class Environment(FrozenModel):
    """The environment in which a run was started. It may change the figures of an equal run."""

    code: str = Field(description="version of merstream")
    python: str
    platform: str = Field(description="system and machine: Linux x86_64")
    device: str = Field(description="cpu, or cuda and the GPU's name")
    libraries: dict[str, str] = Field(description="versions by package")


class TableClip(FrozenModel):
    """A clip of a user's own table of features, with the digest of its file."""

    dataset: str
    subject: str
    clip: str
    emotion: str | None
    aus: tuple[ActionUnit, ...] = ()
    sha256: str = Field(pattern="^[0-9a-f]{64}$")

    @property
    def key(self) -> str:
        return f"{self.dataset}/{self.subject}/{self.clip}"


def _keep_packed(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """`shared.feature_index.PackedRecords` stay packed. JSON gives lists and strings, but no other sequence."""
    if isinstance(value, Sequence) and not isinstance(value, list | tuple | str):
        return value
    return tuple(validate(value))


class RunContents(Envelope):
    """The contents of a run: a run.json, of a stack and of `mer train` alike.

    Settings and protocol are the trainer's, resolved. Clips are `features` of the pipeline or rows of a `table`.
    Everything but `environment` shapes the report. The process that starts the run writes this once, before any fold
    is trained.
    """

    schema_name: Literal["mer.run-contents/2"] = Field("mer.run-contents/2", alias="schema")
    dataset: str
    pipeline: str
    settings: dict[str, JsonValue]
    protocol: dict[str, JsonValue] = Field(default_factory=dict)
    seeds: int = Field(1, ge=1, description="trainings of each fold. The first has the seed of the settings")
    classes: tuple[str, ...] | None = None
    features: Annotated[Sequence[Record], WrapValidator(_keep_packed)] = Field((), description="sorted by key")
    table: tuple[TableClip, ...] = Field((), description="sorted by key")
    data: str = Field("", description="digest of all clips: key, content and labels")
    faults: tuple[str, ...] = Field((), description="one sentence per clip that has no features")
    environment: Environment | None = None

    def encode(self) -> bytes:
        """With each feature record in a line of its own, so that `read_contents` can read one at a time."""
        without = self.model_copy(update={"features": ()}).model_dump_json(by_alias=True).encode()
        head, _, tail = without.rpartition(_FEATURES_FIELD + b"[]")
        encoded = BytesIO()
        encoded.write(head + _FEATURES_FIELD + b"[")
        for number, record in enumerate(self.features):
            encoded.write((b",\n" if number else b"\n") + record.encode())
        encoded.write(b"\n]" + tail)
        return encoded.getvalue()


def read_contents(lines: IO[bytes]) -> tuple[RunContents, Iterable[Record]]:
    """What a run.json says before its features, and the features. Raises BadData, also while these are read."""
    head = next(iter(lines), b"")
    if not head.endswith(_FEATURES_FIELD + b"[\n"):  # of an earlier version, or of `mer train`
        contents = RunContents.decode(head + lines.read())
        return contents, contents.features
    records = takewhile(lambda line: not line.startswith(b"]"), lines)
    return RunContents.decode(head + b"]}"), (Record.decode(line.rstrip(b",\n")) for line in records)
