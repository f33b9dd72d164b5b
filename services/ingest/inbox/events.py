"""Notifications of a bucket (S3's JSON, as MinIO sends it): the objects that they name. Nothing else is used."""

from dataclasses import dataclass
from urllib.parse import unquote_plus

from pydantic import BaseModel, ValidationError

from shared.errors import BadData, first_problem


class _Bucket(BaseModel):
    name: str


class _Object(BaseModel):
    key: str  # percent-encoded, blanks as +


class _S3Location(BaseModel):
    bucket: _Bucket
    object: _Object


class _Event(BaseModel):
    s3: _S3Location


class _Notification(BaseModel):
    Records: list[_Event]


@dataclass(frozen=True)
class Upload:
    """An object that was put into a bucket or removed from it."""

    bucket: str
    key: str


def notified_uploads(message: bytes) -> set[Upload]:
    """The objects in a notification. Raises BadData if the message is none."""
    try:
        events = _Notification.model_validate_json(message).Records
    except ValidationError as error:
        raise BadData(
            f"expected an S3 notification, got {message[:100]!r} ({first_problem(error)[2]}); it is ignored."
        ) from None
    return {Upload(event.s3.bucket.name, unquote_plus(event.s3.object.key)) for event in events}
