"""The uploaded files of what is withdrawn: all of a dataset or video, or those of one person in a dataset."""

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from services.ingest.inbox.archive_cache import ArchiveCache
from services.ingest.inbox.dropped_files import collect_contents
from services.ingest.inbox.dry_discovery import DroppedClip, discover_on_skeleton
from shared.errors import BadData
from shared.inbox import names
from shared.store import ObjectInfo, Store
from shared.withdrawal.scope import WithdrawalScope


def find_uploads(uploads: Store, scope: WithdrawalScope) -> list[str]:
    """The keys of the uploaded files. Raises BadData if one person's files cannot be told from those of others."""
    if scope.video:
        own = {scope.name, f"{scope.name}.{names.PLAN}"}
        return [entry.key for entry in uploads.list_objects(scope.name) if entry.key in own]
    dropped = [entry for entry in uploads.list_objects(scope.name) if _is_of_dataset(entry.key, scope.name)]
    return [entry.key for entry in dropped] if scope.subject is None else _of_person(uploads, scope, dropped)


def choose_files(paths: Iterable[str], mine: Sequence[str], others: Iterable[str]) -> list[str]:
    """The files of a person, given those of their clips and of all other clips.

    A folder that only this person's clips lie in is theirs. So are folders of its name elsewhere: many datasets have
    frames twice, raw and cropped, each in a folder per person.
    """
    shared = {*others}
    foreign = {part for path in shared for part in PurePosixPath(path).parent.parts}
    folders = {part for path in mine for part in PurePosixPath(path).parent.parts} - foreign
    clips = {*mine} - shared
    return [path for path in paths if path in clips or not folders.isdisjoint(PurePosixPath(path).parent.parts)]


def _is_of_dataset(key: str, name: str) -> bool:
    place = names.dataset_and_path(key)
    return key.startswith(f"{name}/") or (place is not None and place[0] == name)


def _of_person(uploads: Store, scope: WithdrawalScope, dropped: Sequence[ObjectInfo]) -> list[str]:
    if packed := [entry.key for entry in dropped if names.is_archive(entry.key)]:
        raise BadData(
            f"{packed[0]}: expected the dataset as files, to remove those of one person, got an archive. Upload the "
            f"dataset without {scope.subject} under this name, then forget the person again."
        )
    by_path = {place[1]: entry for entry in dropped if (place := names.dataset_and_path(entry.key))}
    with tempfile.TemporaryDirectory() as folder:
        unpacked = ArchiveCache(Path(folder) / "archives", uploads, 0, 0)
        contents = collect_contents(by_path.items(), unpacked)
        seen = discover_on_skeleton(scope.name, contents, uploads, Path(folder))
    clips = {True: list[DroppedClip](), False: list[DroppedClip]()}
    for clip in seen.clips:
        clips[clip.found.sample.subject == scope.subject].append(clip)
    mine, others = ([path for clip in clips[each] for path in clip.paths] for each in (True, False))
    return sorted({contents.files[path].key for path in choose_files(contents.files, mine, others)})
