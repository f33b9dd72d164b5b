"""Reading of strangers' files in a child process: a file that ends its reader is a fault of its dataset alone."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from services.ingest.catalogue.entry import FoundClip
from services.ingest.inbox import guarded_tasks
from services.ingest.inbox.archive_cache import ArchiveListing, UnpackedArchive
from services.ingest.inbox.dropped_files import DatasetContents
from services.ingest.inbox.dry_discovery import DiscoveryView
from services.ingest.inbox.guarded_tasks import TaskTools
from services.ingest.inbox.refused_contents import RefusedContents
from shared.connect import open_inbox
from shared.errors import BadData
from shared.inbox.names import SHEETS, VIDEO_SUFFIXES, dataset_and_path
from shared.packed_clips import PackedFile
from shared.settings import Settings
from shared.store import ObjectInfo, ObjectReader, Store
from shared.worker.child import Child, ChildLost, ChildSide, Serve, UnexpectedFault
from shared.worker.limits import choose_limits

INBOX_GROUP = "inbox"
BucketOpener = Callable[[Settings], ObjectReader]
OPENED_SUFFIXES = (*SHEETS, *VIDEO_SUFFIXES)  # of the files that discovery opens


class WorkGivenUp(BadData):
    """A content ended its reader, or took too long. `file` is the one that was open, "" if none was."""

    def __init__(self, sentence: str, file: str) -> None:
        super().__init__(sentence)
        self.file = file


class GuardedReading:
    """Discovery, unpacking and packing, each with the limits of the settings. `beat` is called meanwhile.

    A content that was given up once is refused from then on, without another attempt. `inbox` serves work in this
    process. A child opens the same bucket by `open_bucket`, which is pickled.
    """

    def __init__(
        self,
        settings: Settings,
        inbox: ObjectReader,
        store: Store,
        beat: Callable[[], None],
        open_bucket: BucketOpener = open_inbox,
    ) -> None:
        limits = choose_limits(INBOX_GROUP, settings)
        self.inbox, self.beat, self.refused = inbox, beat, RefusedContents(store, limits)
        modules = [guarded_tasks.__name__]
        build = partial(_build_caller, open_bucket, settings)
        self._child = Child(build, limits, modules) if settings.work_in_child else None
        self._open_file = ""

    def discover_dataset(
        self, name: str, contents: DatasetContents, scratch: Path, known_lengths: Mapping[str, int]
    ) -> tuple[DiscoveryView, Mapping[str, int]]:
        """As `run_discovery`. A sheet that ends its reader is a fault, and a video that does has no frames."""
        whole = [[path, file.mark, file.size] for path, file in sorted(contents.files.items())]
        if known := self.refused.find_sentence(name, whole):
            return DiscoveryView(faults=[*contents.faults, known]), known_lengths
        while True:
            refused = self._list_refused(name, contents)
            with tempfile.TemporaryDirectory(dir=scratch) as folder:
                try:
                    arguments = (name, contents, Path(folder), known_lengths, refused)
                    found = self._run_task(name, guarded_tasks.run_discovery, *arguments)
                    return cast(tuple[DiscoveryView, Mapping[str, int]], found)
                except WorkGivenUp as fault:
                    held = contents.files.get(fault.file)
                    if held is None or fault.file in refused:  # no file is at fault, but all of them together
                        self.refused.refuse_content(str(fault), name, whole)
                        return DiscoveryView(faults=[*contents.faults, str(fault)]), known_lengths
                    self.refused.refuse_content(str(fault), name, held.mark, held.size)

    def unpack_archive(self, folder: Path, entry: ObjectInfo, files: int, size: int) -> UnpackedArchive:
        """As `archive_cache.unpack_archive`. An archive that ends its reader has this one fault."""
        try:
            arguments, dataset = (folder, entry.key, files, size), (dataset_and_path(entry.key) or (entry.key,))[0]
            return cast(
                UnpackedArchive, self._run_once(entry.key, guarded_tasks.run_unpacking, arguments, dataset, entry.etag)
            )
        except BadData as fault:
            return UnpackedArchive(ArchiveListing(faults=(str(fault),)))

    def pack_clip(self, found: FoundClip, target: Path, dataset: str, mark: str) -> PackedFile:
        """Pack a clip's files into `target`. `mark` changes with their content. Raises BadData."""
        # Labels are no part of the arrays, and their mapping cannot always be pickled.
        clip = replace(found, labels={}, changes=())
        packed = self._run_once(found.files[0].name, guarded_tasks.run_packing, (clip, target), dataset, mark)
        return cast(PackedFile, packed)

    def close(self) -> None:
        if self._child:
            self._child.close()

    def _list_refused(self, name: str, contents: DatasetContents) -> dict[str, str]:
        """The sentences of sheets and videos that are refused, by path inside the dataset."""
        opened = {path: file for path, file in contents.files.items() if path.lower().endswith(OPENED_SUFFIXES)}
        sentences = {path: self.refused.find_sentence(name, file.mark, file.size) for path, file in opened.items()}
        return {path: sentence for path, sentence in sentences.items() if sentence}

    def _run_once(
        self, name: str, task: Callable[..., Any], arguments: tuple[object, ...], dataset: str, mark: str
    ) -> Any:
        """Run a task unless the content with this mark is refused. Raises BadData."""
        if known := self.refused.find_sentence(dataset, mark):
            raise BadData(known)
        try:
            return self._run_task(name, task, *arguments)
        except WorkGivenUp as fault:
            self.refused.refuse_content(str(fault), dataset, mark)
            raise

    def _run_task(self, name: str, task: Callable[..., Any], *arguments: object) -> Any:
        """The task's result. Raises WorkGivenUp, with the open file or else `name` as the content's name."""
        self._open_file = ""
        try:
            if self._child is None:
                return task(TaskTools(self.inbox, self.beat, self._note_file), *arguments)
            return self._child.ask((task, arguments), self.beat, self._note_file)
        except (ChildLost, MemoryError, UnexpectedFault) as error:
            how = f"memory ran out ({error})" if isinstance(error, MemoryError) else str(error)
            raise WorkGivenUp(
                f"{self._open_file or name}: expected a file that can be read, got one whose reading was given up: "
                f"{how}; save or convert it again, make it smaller, or leave it out.",
                self._open_file,
            ) from None

    def _note_file(self, path: str) -> None:
        self._open_file = path


def _build_caller(open_bucket: BucketOpener, settings: Settings, side: ChildSide) -> tuple[str, Serve]:
    inbox, opened = open_bucket(settings), [""]

    def note_file(path: str) -> None:
        opened[0] = path
        side.report(at_once=True)

    def run_task(request: tuple[Callable[..., Any], tuple[Any, ...]]) -> Any:
        task, arguments = request
        opened[0] = ""
        return task(TaskTools(inbox, side.report, note_file), *arguments)

    side.news = lambda: opened[0]
    return "ready", run_task
