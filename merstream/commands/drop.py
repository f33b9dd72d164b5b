"""`mer drop`: a dataset on this machine goes into the inbox; what discovery refuses is refused before it goes."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.markup import escape

from merstream.cli.console import stderr_console
from merstream.cli.parsing import parse_overrides
from merstream.cli.progress import progress_bars
from merstream.embedded.features import exit_on_interrupt
from services.ingest.catalogue.entry import PreferredFrames
from services.ingest.inbox import names
from services.ingest.inbox.archive_cache import ArchiveCache
from services.ingest.inbox.dataset_plan import DatasetPlan, parse_plan
from services.ingest.inbox.dropped_files import collect_contents
from services.ingest.inbox.dry_discovery import SHEETS, DiscoveryView, discover_on_skeleton
from services.trainer.options import resolve_options
from shared.connect import open_inbox
from shared.errors import BadData
from shared.records import file_sha256
from shared.settings import Settings
from shared.store import LocalStore, ObjectInfo, Store

PARALLEL_UPLOADS = 8  # at a time: small files cost a round trip each


FilesByKey = dict[str, Path]  # by the key that they will have, in the order in which they go up


@dataclass(frozen=True)
class DatasetUpload:
    """What is to go up: a folder or an archive file, under the dataset's name. `plan` is laid over its own."""

    source: Path
    name: str
    plan: DatasetPlan | None

    def collect_files(self, folder: Path) -> FilesByKey:
        """Sheets (or the archive) last, just before them the plan, which is written into `folder`."""
        files = self._source_files()
        key = f"{self.name}/{names.PLAN}"
        if self.plan is not None:
            own = parse_plan(files[key].read_bytes()) if key in files else DatasetPlan()
            files[key] = folder / names.PLAN
            files[key].write_text(_merge_plans(own, self.plan).model_dump_json(indent=1, exclude_defaults=True))
        return dict(sorted(files.items(), key=lambda pair: (_upload_rank(pair[0]), pair[0])))

    def _source_files(self) -> FilesByKey:
        if self.source.is_dir():
            return {f"{self.name}/{path}": file for path, file in _walk_files(self.source)}
        return {f"{self.name}{self.source.name[len(names.archive_stem(self.source.name)) :]}": self.source}


def prepare_upload(source: Path, name: str | None, plan: DatasetPlan | None) -> DatasetUpload:
    """Raises BadData for what can't be dropped."""
    source = source.resolve()
    if not source.is_dir() and not (source.is_file() and names.is_archive(source.name)):
        raise BadData(
            f"{source}: expected a dataset folder or an archive ({' '.join(names.ARCHIVES)}); check the path."
        )
    called = name or (source.name if source.is_dir() else names.archive_stem(source.name))
    if names.path_fault(called) or "/" in called or names.is_junk(called):
        raise BadData(f"Expected a dataset name that a folder could have and that is not hidden, got {called!r}.")
    return DatasetUpload(source, called, plan)


def plan_from_options(
    profile: str | None, changes: list[str], train_options: dict[str, Any], prefer: PreferredFrames | None
) -> DatasetPlan | None:
    """The plan that the options given amount to, None without any. Raises Misconfigured for what no stage knows."""
    asked = {name: value for name, value in train_options.items() if value is not None}
    resolve_options(profile or "corrected", asked, "cpu")  # of the settings only; what trains them is the stack's
    given = {"profile": profile, "overrides": parse_overrides(profile or "corrected", changes), "train": asked}
    fields = {name: value for name, value in {**given, "prefer": prefer}.items() if value}
    return DatasetPlan.model_validate(fields) if fields else None


def drop_dataset(settings: Settings, upload: DatasetUpload, force: bool = False) -> int:
    """Upload what is not there yet; the number of files that were sent. Raises BadData for what discovery refuses."""
    if settings.scratch is not None:
        settings.scratch.mkdir(parents=True, exist_ok=True)
    with exit_on_interrupt(), tempfile.TemporaryDirectory(dir=settings.scratch) as folder:
        files = upload.collect_files(Path(folder))
        seen = preview_discovery(upload.name, files, Path(folder), settings)
        _print_preview(upload.name, seen)
        if not seen.clips and not force:
            raise BadData(f"{upload.name}: discovery finds no clip that can be used; --force drops it all the same.")
        sent = upload_files(open_inbox(settings), upload.name, files)
    place = f"bucket {settings.inbox_bucket}" if settings.s3_endpoint else f"folder {settings.home / 'inbox'}"
    stderr_console.print(f"{place}: {sent} files were sent, {len(files) - sent} were there already.", soft_wrap=True)
    return sent


def preview_discovery(name: str, files: FilesByKey, work_folder: Path, settings: Settings) -> DiscoveryView:
    """What the inbox will find in it, by the inbox's own code."""
    entries = [_local_entry(key, file) for key, file in files.items()]
    dropped = [(place[1], entry) for entry in entries if (place := names.dataset_and_path(entry.key))]
    here = _LocalFilesStore(work_folder / "here", files)
    limits = settings.inbox_archive_files, settings.inbox_archive_bytes
    held = collect_contents(dropped, ArchiveCache(work_folder / "archives", here, *limits, lambda: None))
    return discover_on_skeleton(name, held, here, work_folder)


def upload_files(inbox: Store, name: str, files: FilesByKey) -> int:
    """What lies there with the same content stays. Sheets go when all that they name is there."""
    there = {entry.key: entry for entry in inbox.list_objects(name)}
    with progress_bars() as progress, ThreadPoolExecutor(PARALLEL_UPLOADS) as pool:
        task = progress.add_task(name, total=len(files), remark="")

        def send_file(key: str) -> bool:
            sent = _send_if_different(inbox, key, files[key], there.get(key))
            progress.advance(task)
            return sent

        try:
            frames = list(pool.map(send_file, [key for key in files if _upload_rank(key) == 0]))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        return sum(frames) + sum(send_file(key) for key in files if _upload_rank(key) > 0)


def _send_if_different(inbox: Store, key: str, file: Path, stored: ObjectInfo | None) -> bool:
    """Whether it had to be sent."""
    if stored is not None and stored.size == file.stat().st_size and _is_same_content(inbox, stored, file):
        return False
    inbox.put_file(key, file)
    return True


def _is_same_content(inbox: Store, stored: ObjectInfo, file: Path) -> bool:
    """By S3's etag where it is a digest of the content (not so under some kinds of encryption), else byte by byte."""
    if re.fullmatch(r"[0-9a-f]{32}(-\d+)?", stored.etag):
        from merstream.commands.s3_etag import (
            content_etag,  # needs the client of S3, which only an S3 server's etag tells of
        )

        return stored.etag == content_etag(file)
    with tempfile.TemporaryDirectory() as folder:
        inbox.fetch_file(stored.key, Path(folder) / "there")
        return file_sha256(Path(folder) / "there") == file_sha256(file)


def _merge_plans(dropped_plan: DatasetPlan, plan: DatasetPlan) -> DatasetPlan:
    return DatasetPlan.model_validate({**dropped_plan.model_dump(), **plan.model_dump(exclude_unset=True)})


class _LocalFilesStore(LocalStore):
    """Files of this machine under the keys that they will have; only what previewing needs."""

    def __init__(self, folder: Path, files: FilesByKey) -> None:
        super().__init__(folder)
        self.files = files

    def _path_of(self, key: str) -> Path:
        return self.files[key]


def _local_entry(key: str, file: Path) -> ObjectInfo:
    if not os.access(file, os.R_OK):
        raise BadData(f"{file}: expected a file that can be read; correct its permissions.")
    about = file.stat()
    return ObjectInfo(key, about.st_size, f"{about.st_mtime_ns:x}", datetime.fromtimestamp(about.st_mtime, UTC))


def _walk_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """(path inside, file) of all that is no junk."""
    for place, _, found in os.walk(folder, followlinks=False):
        for name in found:
            file = Path(place) / name
            path = file.relative_to(folder).as_posix()
            if not names.is_junk(path) and file.is_file():
                yield path, file


def _upload_rank(key: str) -> int:
    """Frames and videos 0, the plan 1, sheets and archives that are a dataset 2."""
    _, slash, inside = key.partition("/")
    if inside == names.PLAN:
        return 1
    return 2 if not slash or inside.lower().endswith(SHEETS) else 0


def _print_preview(name: str, preview: DiscoveryView) -> None:
    for sentence in preview.faults:
        stderr_console.print(f"[yellow]left out[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    stderr_console.print(
        f"{escape(name)}: {len(preview.clips)} clips can be used, {_format_fault_count(preview.faults)}."
    )


def _format_fault_count(faults: Iterable[str]) -> str:
    count = len(list(faults))
    return "1 fault" if count == 1 else f"{count or 'no'} faults"
