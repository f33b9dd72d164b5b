"""Safe unpacking of archives: contents go to numbered files, so no name in an archive becomes a path on this machine.

Refused are absolute paths, `..`, links, devices, encryption, damage, and more files or bytes than allowed. Bytes are
counted while they are unpacked, whatever the headers claim.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from services.ingest.inbox.archive_members import PackedMember, safe_member_path, stream_members
from services.ingest.inbox.member_names import choose_encoding, decode_name, is_undecoded
from shared.errors import BadData
from shared.inbox import names
from shared.scratch import require_free_bytes

ARCHIVE_DEPTH = 3  # archives within archives
CHUNK_BYTES = 1 << 20  # in memory at a time
FILES_PER_FOLDER = 1000

Heartbeat = Callable[[], None]  # called often during long work. It may raise to end the work


@dataclass(frozen=True)
class UnpackedMember:
    """A file of an archive. `path` is its path in the archive, `file` its place below the target folder."""

    path: str
    file: str
    size: int
    sha256: str


@dataclass
class UnpackingBudget:
    """The numbers of files and bytes that may still be unpacked."""

    files: int
    size: int  # bytes

    def spend(self, name: str, size: int = 0, files: int = 0) -> None:
        """Use a part of the budget. Raises BadData if it is exhausted."""
        self.files -= files
        self.size -= size
        self.check_remaining(name)

    def check_remaining(self, name: str, size: int = 0) -> None:
        """Raise BadData if the budget is exhausted or less than `size` bytes are left."""
        if self.files < 0 or size > self.size:
            unit = "files" if self.files < 0 else "bytes"
            raise BadData(
                f"{name}: expected an archive within the inbox's limits, got one with more {unit} than they allow "
                "(MER_INBOX_ARCHIVE_FILES, MER_INBOX_ARCHIVE_BYTES, and 1 GiB and 100 times the archive's own size); "
                "upload the dataset as a folder or raise the limits."
            )


class ArchiveUnpacker:
    """Unpacks one archive and the archives in it into `folder`.

    `faults` are those of the archives inside. `notes` say how names were understood that do not say their encoding.
    `required` are the bytes that the disk must hold at once, as far as it is known.
    """

    def __init__(self, folder: Path, budget: UnpackingBudget, beat: Heartbeat) -> None:
        self.folder, self.budget, self.beat = folder, budget, beat
        self.faults: list[str] = []
        self.notes: list[str] = []
        self.required = 0
        self._files, self._bytes = 0, 0  # written so far

    def unpack_archive(self, archive: Path, name: str, depth: int = 0) -> list[UnpackedMember]:
        """The archive's files, sorted by path. Of several with one path the last counts.

        Raises BadData, with `name` as the archive's name, and Unavailable if the disk has no room for it.
        """
        found: dict[str, UnpackedMember] = {}
        for packed in stream_members(archive, name):
            self.beat()
            self.budget.spend(name, files=1)
            if names.is_junk(packed.path) and not is_undecoded(packed.path):
                self.budget.spend(name, size=packed.size)  # to skip it takes the time to decompress it
            else:
                earlier, member = found.get(packed.path), self._write_member(packed, name)
                found[packed.path] = member
                if earlier and earlier.sha256 != member.sha256:
                    self.notes.append(f"{name}: {packed.path!r} is there more than once. The last one was taken")
        found = self._decode_paths(found, name)
        inner = [member for member in found.values() if names.is_archive(member.path)]
        for member in inner:
            found |= {each.path: each for each in self._unpack_inner(member, f"{name}/{member.path}", depth)}
            found.pop(member.path)
        return sorted(found.values(), key=lambda member: member.path)

    def _decode_paths(self, found: dict[str, UnpackedMember], name: str) -> dict[str, UnpackedMember]:
        """The members with text as paths. Raises BadData if the encoding of some cannot be decided."""
        undecoded = [path for path in found if is_undecoded(path)]
        if not undecoded:
            return found
        encoding = choose_encoding(undecoded, name)
        self.notes.append(
            f"{name}: {len(undecoded)} names are no UTF-8 and were read as {encoding}, for example "
            f"{decode_name(undecoded[0], encoding)!r}"
        )
        decoded = {}
        for written, member in found.items():
            path = safe_member_path(name, decode_name(written, encoding), True) if is_undecoded(written) else written
            if not names.is_junk(path):
                decoded[path] = _with_path(member, path)
        return decoded

    def _unpack_inner(self, member: UnpackedMember, name: str, depth: int) -> list[UnpackedMember]:
        file = self.folder / member.file
        try:
            if depth + 1 == ARCHIVE_DEPTH:
                raise BadData(f"{name}: expected archives nested at most {ARCHIVE_DEPTH} deep; unpack the inner ones.")
            return relocate_members(member.path, self.unpack_archive(file, name, depth + 1))
        except BadData as fault:
            self.faults.append(str(fault))
            return []
        finally:
            file.unlink()
            self._bytes -= member.size

    def _write_member(self, packed: PackedMember, name: str) -> UnpackedMember:
        self.budget.check_remaining(name, packed.ahead)
        location = f"{self._files // FILES_PER_FOLDER}/{self._files}"
        self._files += 1
        file = self.folder / location
        file.parent.mkdir(parents=True, exist_ok=True)
        self.required = max(self.required, self._bytes + packed.ahead)
        require_free_bytes(file.parent, packed.ahead, name)
        with file.open("wb") as target:
            size, sha256 = self._copy_bytes(packed, target, name)
        return UnpackedMember(packed.path, location, size, sha256)

    def _copy_bytes(self, packed: PackedMember, target: IO[bytes], name: str) -> tuple[int, str]:
        size, sha256 = 0, hashlib.sha256()
        while chunk := packed.read(CHUNK_BYTES):
            self.budget.spend(name, size=len(chunk))
            self.beat()
            target.write(chunk)
            sha256.update(chunk)
            size += len(chunk)
        self._bytes += size
        return size, sha256.hexdigest()


def relocate_members(archive: str, inside: list[UnpackedMember], root: bool = False) -> list[UnpackedMember]:
    """The members with paths as if the archive at `archive` were unpacked in its folder, as desktops do it.

    A single top folder or file of the archive is placed beside the archive. Several are placed in a folder of the
    archive's name. With `root` that folder is the dataset's own, and so is a single top folder of this name.
    """
    tops = {member.path.partition("/")[0] for member in inside}
    beside = archive[: archive.rfind("/") + 1]
    before = beside if len(tops) == 1 else f"{beside}{names.archive_stem(archive)}/"
    if root:
        own = f"{names.archive_stem(archive)}/"
        before = ""
        inside = [
            _with_path(member, member.path.removeprefix(own) if len(tops) == 1 else member.path) for member in inside
        ]
    return [_with_path(member, before + member.path) for member in inside]


def _with_path(member: UnpackedMember, path: str) -> UnpackedMember:
    return UnpackedMember(path, member.file, member.size, member.sha256)
