"""The work of `mer drop`: upload a dataset of this machine into the inbox of a stack.

The inbox's own code looks at the dataset first. A dataset without a usable clip is refused before anything is sent.
"""

import filecmp
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from merstream.cli.console import print_message, progress_bars, stderr_console
from merstream.cli.parsing import parse_pipeline
from services.ingest.catalogue.own_outputs import DRAWN_DATASET, find_own_output
from services.ingest.inbox.archive_cache import ArchiveCache
from services.ingest.inbox.dropped_files import collect_contents
from services.ingest.inbox.dry_discovery import DiscoveryView, discover_on_skeleton
from shared.connect import open_inbox
from shared.errors import BadData
from shared.inbox import names
from shared.inbox.dataset_plan import DatasetPlan, compose_plan, merge_plans, parse_plan
from shared.inbox.reading_options import PreferredFrames
from shared.settings import Settings
from shared.store import ObjectInfo, Store

PARALLEL_UPLOADS = 8  # files sent at a time, since small files cost a round trip each

FilesByKey = dict[str, Path]  # by the key in the inbox, in the order of the upload


@dataclass(frozen=True)
class DatasetUpload:
    """A folder or an archive file to upload under the dataset's name. `plan` overrides the folder's own plan."""

    source: Path
    name: str
    plan: DatasetPlan | None

    def collect_files(self, folder: Path) -> FilesByKey:
        """Frames first, then the plan, which is written into `folder`, then sheets or the archive."""
        files = self._source_files()
        key = f"{self.name}/{names.PLAN}"
        if self.plan is not None:
            own = parse_plan(files[key].read_bytes()) if key in files else DatasetPlan()
            files[key] = folder / names.PLAN
            files[key].write_bytes(merge_plans(own, self.plan))
        return dict(sorted(files.items(), key=lambda pair: (names.upload_rank(pair[0]), pair[0])))

    def _source_files(self) -> FilesByKey:
        if self.source.is_dir():
            return {f"{self.name}/{path}": file for path, file in _walk_files(self.source)}
        return {f"{self.name}{self.source.name[len(names.archive_stem(self.source.name)) :]}": self.source}


@dataclass(frozen=True)
class UploadReader:
    """The files of an upload, readable under their keys in the inbox before they are sent."""

    files: FilesByKey

    def get(self, key: str) -> bytes:
        return self.files[key].read_bytes()

    def fetch_file(self, key: str, file: Path) -> None:
        shutil.copyfile(self.files[key], file)


def prepare_upload(source: Path, name: str | None, plan: DatasetPlan | None) -> DatasetUpload:
    """The upload of a folder or an archive. Raises BadData for any other file and for an impossible name."""
    source = source.resolve()
    if not source.is_dir() and not (source.is_file() and names.is_archive(source.name)):
        raise BadData(
            f"{source}: expected a dataset folder or an archive ({' '.join(names.ARCHIVES)}). Check the path."
        )
    name = name or (source.name if source.is_dir() else names.archive_stem(source.name))
    if fault := names.dataset_name_fault(name):
        raise BadData(fault)
    return DatasetUpload(source, name, plan)


def plan_from_options(
    profile: str | None, changes: list[str], train_options: dict[str, Any], prefer: PreferredFrames | None
) -> DatasetPlan | None:
    """The plan that options of `mer drop` state, or None without any option.

    Raises Misconfigured for a setting that no stage and no training has.
    """
    overrides = parse_pipeline(profile or "corrected", changes).overrides
    return compose_plan(profile, overrides, train_options, prefer)


def drop_dataset(settings: Settings, upload: DatasetUpload, force: bool = False) -> int:
    """Upload the files that the inbox does not have yet, and return their number.

    Raises BadData if no clip of the dataset is usable, unless `force` is given.
    """
    if settings.scratch is not None:
        settings.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.scratch) as folder:
        files = upload.collect_files(Path(folder))
        preview = preview_discovery(upload.name, files, Path(folder), settings)
        _print_preview(upload.name, preview)
        if not preview.clips and not force:
            raise BadData(f"{upload.name}: no usable clip was found. --force uploads the dataset all the same.")
        sent = upload_files(open_inbox(settings), upload.name, files)
    inbox = f"bucket {settings.inbox_bucket}" if settings.s3_endpoint else f"folder {settings.home / 'inbox'}"
    stderr_console.print(f"{inbox}: {sent} files were sent, {len(files) - sent} were there already.", soft_wrap=True)
    return sent


def preview_discovery(name: str, files: FilesByKey, work_folder: Path, settings: Settings) -> DiscoveryView:
    """What the inbox will find in the files, by the inbox's own code."""
    entries = [_local_entry(key, file) for key, file in files.items()]
    dropped = [(place[1], entry) for entry in entries if (place := names.dataset_and_path(entry.key))]
    reader = UploadReader(files)
    limits = settings.inbox_archive_files, settings.inbox_archive_bytes
    contents = collect_contents(dropped, ArchiveCache(work_folder / "archives", reader, *limits))
    return discover_on_skeleton(name, contents, reader, work_folder)


def upload_files(inbox: Store, name: str, files: FilesByKey) -> int:
    """Send the files that differ from those in the inbox, and return their number. Sheets are sent last."""
    stored = {entry.key: entry for entry in inbox.list_objects(name)}
    with progress_bars() as progress, ThreadPoolExecutor(PARALLEL_UPLOADS) as pool:
        task = progress.add_task(name, total=len(files), remark="")

        def send_file(key: str) -> bool:
            sent = _send_if_different(inbox, key, files[key], stored.get(key))
            progress.advance(task)
            return sent

        try:
            frames = list(pool.map(send_file, [key for key in files if names.upload_rank(key) == 0]))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        return sum(frames) + sum(send_file(key) for key in files if names.upload_rank(key) > 0)


def _send_if_different(inbox: Store, key: str, file: Path, stored: ObjectInfo | None) -> bool:
    """Send the file unless the inbox has the same content. Returns True if it was sent."""
    if stored is not None and stored.size == file.stat().st_size and _is_same_content(inbox, stored, file):
        return False
    inbox.put_file(key, file)
    return True


def _is_same_content(inbox: Store, stored: ObjectInfo, file: Path) -> bool:
    """Compare by S3's etag if it is a digest of the content, which some kinds of encryption prevent. Else by byte."""
    if re.fullmatch(r"[0-9a-f]{32}(-\d+)?", stored.etag):
        from shared.store.s3 import PART_BYTES  # needs the client of S3, which an inbox in a folder does without

        return stored.etag == content_etag(file, PART_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        inbox.fetch_file(stored.key, Path(folder) / "stored")
        return filecmp.cmp(Path(folder) / "stored", file, shallow=False)


def content_etag(file: Path, part_bytes: int) -> str:
    """The etag that S3 gives a file's content when it is sent in parts of `part_bytes`.

    It is the MD5 of the content. With several parts it is the MD5 of the parts' MD5s, and their number (S3, "Checking
    object integrity"). A program that cuts other parts gives equal content another etag.
    """
    digests = []
    with file.open("rb") as stream:
        while part := stream.read(part_bytes):
            digests.append(hashlib.md5(part, usedforsecurity=False))
    if len(digests) <= 1:
        return digests[0].hexdigest() if digests else hashlib.md5(b"", usedforsecurity=False).hexdigest()
    combined = hashlib.md5(b"".join(each.digest() for each in digests), usedforsecurity=False)
    return f"{combined.hexdigest()}-{len(digests)}"


def _local_entry(key: str, file: Path) -> ObjectInfo:
    if not os.access(file, os.R_OK):
        raise BadData(f"{file}: expected a readable file. Correct its permissions.")
    status = file.stat()
    return ObjectInfo(key, status.st_size, f"{status.st_mtime_ns:x}", datetime.fromtimestamp(status.st_mtime, UTC))


def _walk_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(path inside, file) of every file that belongs to a dataset. Runs and reports inside it do not."""
    for parent, folders, found in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if find_own_output(Path(parent, name)) in ("", DRAWN_DATASET)]
        for name in found:
            file = Path(parent) / name
            path = file.relative_to(folder).as_posix()
            if not names.is_junk(path) and file.is_file():
                yield path, file


def _print_preview(name: str, preview: DiscoveryView) -> None:
    for sentence in preview.notes:
        print_message(sentence, "noted", "dim")
    for sentence in preview.faults:
        print_message(sentence, "left out")
    print_message(f"{name}: {len(preview.clips)} clips can be used, {_format_fault_count(preview.faults)}.")


def _format_fault_count(faults: Iterable[str]) -> str:
    count = len(list(faults))
    return "1 fault" if count == 1 else f"{count or 'no'} faults"
