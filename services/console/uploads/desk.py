"""Takes uploads into the buckets of datasets and videos.

What an upload needs to go on lies in the store: the parts with the object in the making, and a record under `uploads/`.
So any replica goes on with an upload that another one began.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import IO

from fastapi import HTTPException
from pydantic import ValidationError

from services.console.access.visitor import note_action
from services.console.uploads.records import (
    NamesAnswer,
    PlanRequest,
    StoredAnswer,
    Target,
    UploadAnswer,
    UploadRecord,
    UploadRequest,
)
from shared.errors import BadData, Misconfigured, first_problem
from shared.inbox import names
from shared.inbox.dataset_plan import DatasetPlan, compose_plan, merge_plans, parse_plan
from shared.store import NotStored, ObjectInfo, Store
from shared.store.parts import SMALLEST_PART_BYTES, PartInfo, choose_part_bytes
from shared.video_records import VideoPlan

RECORDS = "uploads/"  # keys of records begin so
LONGEST_SILENCE = timedelta(days=7)  # after the last part. Then an upload counts as abandoned
SMALL_FILE_BYTES = SMALLEST_PART_BYTES  # a file up to this size is sent at once


class UploadDesk:
    """Uploads into `buckets`. Their records are in `store`. Refusals are HTTPException with the status 4xx."""

    def __init__(self, buckets: Mapping[Target, Store], store: Store) -> None:
        self.buckets, self.store = buckets, store

    def begin_upload(self, request: UploadRequest) -> UploadAnswer:
        """The upload of this request, which may have begun long ago."""
        require_name(request.to, request.name)
        self.abandon_old()
        if answer := self._find_answer(request.id):
            return answer
        bucket = self.buckets[request.to]
        try:
            part_bytes = choose_part_bytes(request.size)
        except BadData as fault:
            raise HTTPException(422, str(fault)) from None
        put = bucket.begin_put(request.name, part_bytes)
        record = UploadRecord(request=request, put=put.id, part_bytes=part_bytes)
        self.store.put(f"{RECORDS}{request.id}.json", record.model_dump_json().encode())
        note_action("upload begun", to=request.to, object=request.name, bytes=request.size)
        return _answer_upload(record, [])

    def list_uploads(self) -> list[UploadAnswer]:
        """All that have begun and not ended, the newest first."""
        self.abandon_old()
        ids = [key.removeprefix(RECORDS).removesuffix(".json") for key in self.store.list_keys(RECORDS)]
        answers = [answer for each in ids if (answer := self._find_answer(each))]
        return sorted(answers, key=lambda each: each.created, reverse=True)

    def find_upload(self, upload: str) -> UploadAnswer:
        """Raises HTTPException 404."""
        if answer := self._find_answer(upload):
            return answer
        raise _ended_error(upload)

    def measure_part(self, upload: str, number: int) -> int:
        """How many bytes a part must have. Raises HTTPException 404, 422."""
        record = self._read_record(upload)
        last = -(-record.request.size // record.part_bytes)
        if not 1 <= number <= last:
            raise HTTPException(422, f"Expected a part from 1 to {last}, got {number}.")
        return min(record.part_bytes, record.request.size - (number - 1) * record.part_bytes)

    def store_part(self, upload: str, number: int, part: IO[bytes]) -> None:
        """Store a part that has been measured."""
        record = self._read_record(upload)
        try:
            self.buckets[record.request.to].put_part(record.parted, number, part)
        except NotStored:
            raise _ended_error(upload) from None

    def finish_upload(self, upload: str) -> StoredAnswer:
        """Make the file of its parts. Raises HTTPException 404, 409 if parts are missing.

        The record stays, for a client that asks again because the answer was lost. Whoever lists uploads removes it.
        """
        record = self._read_record(upload)
        request, bucket = record.request, self.buckets[record.request.to]
        try:
            stored = sum(part.size for part in bucket.list_parts(record.parted))
            if stored != request.size:
                raise HTTPException(409, f"Expected {request.size} bytes, {stored} have come. Send the missing parts.")
            bucket.finish_put(record.parted)
        except NotStored:  # the answer to an earlier request may have been lost
            sizes = [each.size for each in bucket.list_objects(request.name) if each.key == request.name]
            if sizes != [request.size]:
                raise _ended_error(upload) from None
        note_action("uploaded", to=request.to, object=request.name, bytes=request.size)
        return StoredAnswer(to=request.to, name=request.name, size=request.size)

    def abandon_upload(self, upload: str) -> None:
        """End an upload and delete its parts."""
        record = self._read_record(upload)
        self.buckets[record.request.to].abandon_put(record.parted)
        self._forget_record(upload)
        note_action("upload abandoned", to=record.request.to, object=record.request.name)

    def abandon_old(self, now: datetime | None = None) -> None:
        """Abandon uploads to which nothing has come for long."""
        limit = (now or datetime.now(UTC)) - LONGEST_SILENCE
        for entry in list(self.store.list_objects(RECORDS)):
            if entry.modified < limit:
                upload = entry.key.removeprefix(RECORDS).removesuffix(".json")
                record = self._read_record(upload)
                parts = self._list_parts(record) or []
                if all(part.modified < limit for part in parts):
                    self.abandon_upload(upload)

    def store_file(self, to: Target, name: str, file: IO[bytes], size: int) -> StoredAnswer:
        """Store a file at once. It replaces one of the same name."""
        require_name(to, name)
        if size <= SMALL_FILE_BYTES:
            self.buckets[to].put(name, file.read())
        else:
            put = self.buckets[to].begin_put(name, size)
            self.buckets[to].put_part(put, 1, file)
            self.buckets[to].finish_put(put)
        note_action("uploaded", to=to, object=name, bytes=size)
        return StoredAnswer(to=to, name=name, size=size)

    def list_stored(self, to: Target, below: str) -> Iterator[ObjectInfo]:
        """Files whose paths begin with `below`, never all in memory."""
        return self.buckets[to].list_objects(below)

    def store_plan(self, request: PlanRequest) -> None:
        """Check the settings, and store them unless the request is only to check. Raises HTTPException 422."""
        try:
            stored = _compose_file(request)
        except (BadData, Misconfigured) as fault:
            raise HTTPException(422, str(fault)) from None
        except ValidationError as error:
            field, value, message = first_problem(error)
            raise HTTPException(422, f"{field} {value!r}: {message}.") from None
        if stored and not request.check:
            key, data = stored
            self.buckets[request.to].put(key, data)
            note_action("plan uploaded", to=request.to, object=key)

    def _find_answer(self, upload: str) -> UploadAnswer | None:
        try:
            record = self._read_record(upload)
        except HTTPException:
            return None
        parts = self._list_parts(record)
        if parts is None:  # it was finished, or the store ended it: some end what is old
            self._forget_record(upload)
            return None
        return _answer_upload(record, parts)

    def _list_parts(self, record: UploadRecord) -> list[PartInfo] | None:
        try:
            return self.buckets[record.request.to].list_parts(record.parted)
        except NotStored:
            return None

    def _read_record(self, upload: str) -> UploadRecord:
        try:
            return UploadRecord.model_validate_json(self.store.get(f"{RECORDS}{upload}.json"))
        except NotStored:
            raise _ended_error(upload) from None

    def _forget_record(self, upload: str) -> None:
        self.store.delete(f"{RECORDS}{upload}.json")


def require_name(to: Target, name: str) -> None:
    """Raise HTTPException 422 for a name that nobody may upload."""
    if fault := describe_name_fault(to, name):
        raise HTTPException(422, fault)


def rank_names(to: Target, given: tuple[str, ...]) -> NamesAnswer:
    """The order of the names, and what is wrong with them."""
    faults = {name: fault for name in given if not names.is_junk(name) and (fault := describe_name_fault(to, name))}
    ranks = [None if names.is_junk(name) or name in faults else names.upload_rank(name) for name in given]
    return NamesAnswer(ranks=tuple(ranks), faults=faults)


def describe_name_fault(to: Target, name: str) -> str:
    """Why nobody may upload a file of this name, as a sentence. '' if one may."""
    if fault := names.name_fault(name):
        return fault
    if to == "videos":
        known = " ".join(sorted(names.VIDEO_SUFFIXES))
        known_video = names.is_video(name) or names.is_plan(name)
        return "" if known_video else f"Expected a video ({known}), got {name!r}. Convert the file."
    dataset, slash, _ = name.partition("/")
    if not slash and not names.is_archive(name):
        known = " ".join(names.ARCHIVES)
        return f"Expected a file in a dataset's folder or an archive ({known}), got {name!r}. Pack it into a .zip file."
    return names.dataset_name_fault(dataset if slash else names.archive_stem(name))


def _compose_file(request: PlanRequest) -> tuple[str, bytes] | None:
    """Key and bytes of the plan. None if nothing is chosen."""
    if request.to == "videos":
        if not names.is_video(request.name):
            raise BadData(f"Expected the name of a video, got {request.name!r}.")
        video_plan = VideoPlan.model_validate(request.settings)
        data = video_plan.model_dump_json(indent=1, exclude_unset=True).encode()
        return (names.plan_keys(request.name)[0], data) if request.settings else None
    if fault := names.dataset_name_fault(request.name):
        raise BadData(fault)
    own = DatasetPlan() if request.own is None else parse_plan(request.own.encode())
    chosen = dict(request.settings)
    plan = compose_plan(chosen.pop("profile", None), {}, chosen, None)
    return (f"{request.name}/{names.PLAN}", merge_plans(own, plan)) if plan else None


def _answer_upload(record: UploadRecord, parts: list[PartInfo]) -> UploadAnswer:
    request = record.request
    return UploadAnswer(
        id=request.id,
        url=f"/uploads/{request.id}",
        to=request.to,
        name=request.name,
        size=request.size,
        part_bytes=record.part_bytes,
        parts=tuple(part.number for part in parts),
        stored=sum(part.size for part in parts),
        person=record.person,
        created=record.created,
    )


def _ended_error(upload: str) -> HTTPException:
    return HTTPException(404, f"No upload {upload} is in progress. POST /uploads begins one.")
