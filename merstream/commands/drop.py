"""`mer drop`: a dataset on this machine goes into the inbox; what discovery refuses is refused before it goes."""

import hashlib
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

from merstream.cli.console import news
from merstream.cli.parsing import overrides
from merstream.cli.progress import bars
from merstream.embedded.features import interruptible
from services.ingest.catalogue.entry import Prefer
from services.ingest.inbox import names
from services.ingest.inbox.archive_cache import Unpacked
from services.ingest.inbox.dataset_plan import Plan, read
from services.ingest.inbox.dropped_files import contents
from services.ingest.inbox.dry_discovery import SHEETS, View, view
from services.trainer.options import chosen
from shared.connect import open_inbox
from shared.errors import BadData
from shared.settings import Settings
from shared.store import Entry, LocalStore, Store

UPLOADS = 8  # at a time: small files cost a round trip each


Files = dict[str, Path]  # by the key that they will have, in the order in which they go up


@dataclass(frozen=True)
class Parcel:
    """What is to go up: a folder or an archive file, under the dataset's name. `plan` is laid over its own."""

    source: Path
    name: str
    plan: Plan | None

    def files(self, folder: Path) -> Files:
        """Sheets (or the archive) last, just before them the plan, which is written into `folder`."""
        files = self._lying()
        key = f"{self.name}/{names.PLAN}"
        if self.plan is not None:
            own = read(files[key].read_bytes()) if key in files else Plan()
            files[key] = folder / names.PLAN
            files[key].write_text(_laid_over(own, self.plan).model_dump_json(indent=1, exclude_defaults=True))
        return dict(sorted(files.items(), key=lambda pair: (_rank(pair[0]), pair[0])))

    def _lying(self) -> Files:
        if self.source.is_dir():
            return {f"{self.name}/{path}": file for path, file in _walk(self.source)}
        return {f"{self.name}{self.source.name[len(names.stem(self.source.name)) :]}": self.source}


def parcel(source: Path, name: str | None, changes: Plan | None) -> Parcel:
    """Raises BadData for what can't be dropped."""
    source = source.resolve()
    if not source.is_dir() and not (source.is_file() and names.is_archive(source.name)):
        raise BadData(
            f"{source}: expected a dataset folder or an archive ({' '.join(names.ARCHIVES)}); check the path."
        )
    called = name or (source.name if source.is_dir() else names.stem(source.name))
    if names.fault(called) or "/" in called or names.is_junk(called):
        raise BadData(f"Expected a dataset name that a folder could have and that is not hidden, got {called!r}.")
    return Parcel(source, called, changes)


def planned(profile: str | None, changes: list[str], train: dict[str, Any], prefer: Prefer | None) -> Plan | None:
    """The plan that the options given amount to, None without any. Raises Misconfigured for what no stage knows."""
    asked = {name: value for name, value in train.items() if value is not None}
    chosen(profile or "corrected", asked, "cpu")  # of the settings only; what trains them is the stack's
    given = {"profile": profile, "overrides": overrides(profile or "corrected", changes), "train": asked}
    fields = {name: value for name, value in {**given, "prefer": prefer}.items() if value}
    return Plan.model_validate(fields) if fields else None


def drop(settings: Settings, given: Parcel, force: bool = False) -> int:
    """Upload what is not there yet; the number of files that were sent. Raises BadData for what discovery refuses."""
    if settings.scratch is not None:
        settings.scratch.mkdir(parents=True, exist_ok=True)
    with interruptible(), tempfile.TemporaryDirectory(dir=settings.scratch) as folder:
        files = given.files(Path(folder))
        seen = preview(given.name, files, Path(folder), settings)
        _tell(given.name, seen)
        if not seen.clips and not force:
            raise BadData(f"{given.name}: discovery finds no clip that can be used; --force drops it all the same.")
        sent = upload(open_inbox(settings), given.name, files)
    place = f"bucket {settings.inbox_bucket}" if settings.s3_endpoint else f"folder {settings.home / 'inbox'}"
    news.print(f"{place}: {sent} files were sent, {len(files) - sent} were there already.", soft_wrap=True)
    return sent


def preview(name: str, files: Files, work: Path, settings: Settings) -> View:
    """What the inbox will find in it, by the inbox's own code."""
    entries = [_entry(key, file) for key, file in files.items()]
    dropped = [(place[1], entry) for entry in entries if (place := names.placed(entry.key))]
    here = _Here(work / "here", files)
    limits = settings.inbox_archive_files, settings.inbox_archive_bytes
    held = contents(dropped, Unpacked(work / "archives", here, *limits, lambda: None))
    return view(name, held, here, work)


def upload(inbox: Store, name: str, files: Files) -> int:
    """What lies there with the same content stays. Sheets go when all that they name is there."""
    there = {entry.key: entry for entry in inbox.entries(name)}
    with bars() as progress, ThreadPoolExecutor(UPLOADS) as pool:
        task = progress.add_task(name, total=len(files), remark="")

        def send(key: str) -> bool:
            sent = _send(inbox, key, files[key], there.get(key))
            progress.advance(task)
            return sent

        try:
            frames = list(pool.map(send, [key for key in files if _rank(key) == 0]))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        return sum(frames) + sum(send(key) for key in files if _rank(key) > 0)


def _send(inbox: Store, key: str, file: Path, there: Entry | None) -> bool:
    """Whether it had to be sent."""
    if there is not None and there.size == file.stat().st_size and _same(inbox, there, file):
        return False
    inbox.put_file(key, file)
    return True


def _same(inbox: Store, there: Entry, file: Path) -> bool:
    """By S3's etag where it is a digest of the content (not so under some kinds of encryption), else byte by byte."""
    if re.fullmatch(r"[0-9a-f]{32}(-\d+)?", there.etag):
        from merstream.commands.s3_etag import etag  # needs the client of S3, which only an S3 server's etag tells of

        return there.etag == etag(file)
    with tempfile.TemporaryDirectory() as folder:
        inbox.fetch(there.key, Path(folder) / "there")
        return _sha256(Path(folder) / "there") == _sha256(file)


def _laid_over(own: Plan, plan: Plan) -> Plan:
    return Plan.model_validate({**own.model_dump(), **plan.model_dump(exclude_unset=True)})


class _Here(LocalStore):
    """Files of this machine under the keys that they will have; only what previewing needs."""

    def __init__(self, folder: Path, files: Files) -> None:
        super().__init__(folder)
        self.files = files

    def _file(self, key: str) -> Path:
        return self.files[key]


def _entry(key: str, file: Path) -> Entry:
    if not os.access(file, os.R_OK):
        raise BadData(f"{file}: expected a file that can be read; correct its permissions.")
    about = file.stat()
    return Entry(key, about.st_size, f"{about.st_mtime_ns:x}", datetime.fromtimestamp(about.st_mtime, UTC))


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    """(path inside, file) of all that is no junk."""
    for place, _, found in os.walk(folder, followlinks=False):
        for name in found:
            file = Path(place) / name
            path = file.relative_to(folder).as_posix()
            if not names.is_junk(path) and file.is_file():
                yield path, file


def _rank(key: str) -> int:
    """Frames and videos 0, the plan 1, sheets and archives that are a dataset 2."""
    _, slash, inside = key.partition("/")
    if inside == names.PLAN:
        return 1
    return 2 if not slash or inside.lower().endswith(SHEETS) else 0


def _sha256(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def _tell(name: str, seen: View) -> None:
    for sentence in seen.faults:
        news.print(f"[yellow]left out[/] {escape(sentence)}", soft_wrap=True, highlight=False)
    news.print(f"{escape(name)}: {len(seen.clips)} clips can be used, {_faults(seen.faults)}.")


def _faults(faults: Iterable[str]) -> str:
    count = len(list(faults))
    return "1 fault" if count == 1 else f"{count or 'no'} faults"
