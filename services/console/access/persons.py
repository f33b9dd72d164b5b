"""Persons and their tokens, and the cookie of a login.

The file has a line for each person: NAME ROLE TOKEN, or the SHA-256 of the token in its place. Lines with `#` are
comments. The file is read again when it changes. What signs a cookie follows from the person's token: every replica
knows it, and a cookie ends with its token.
"""

import hmac
import logging
import re
import time
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from starlette.datastructures import Headers

from services.console.access.visitor import Role, Visitor
from shared.errors import Misconfigured

SHORTEST_TOKEN = 20  # characters
SESSION_SECONDS = 12 * 3600
COOKIE_NAME = "merstream"
TOKEN_OWNER = "administrator"  # whoever has MER_API_TOKEN
_NAME = re.compile(r"[A-Za-z0-9_@.-]{1,64}")
_COMMENT = re.compile(r"(^|\s)#.*")
_DIGEST = re.compile(r"[0-9a-f]{64}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Person:
    """Somebody with a token, of which only the SHA-256 is kept."""

    name: str
    role: Role
    digest: bytes

    @property
    def visitor(self) -> Visitor:
        return Visitor(self.name, self.role)


class PersonRegister:
    """Everybody who may log in. Without a token and without persons, everybody is let in."""

    def __init__(self, token: str = "", file: Path | None = None) -> None:
        """Raises Misconfigured for a line that cannot be used. A file that is not there has no persons."""
        self._owner = [Person(TOKEN_OWNER, Role.ADMINISTER, _digest_token(token))] if token else []
        self._file, self._mark = file, _mark_file(file)
        self._persons = [*self._owner, *_read_file(file)]
        self._was_guarded = False

    def asks_for_login(self) -> bool:
        """Whether nobody is let in unknown. A file that loses its persons while the process runs opens nothing."""
        self._was_guarded = self._was_guarded or bool(self.list_persons())
        return self._was_guarded

    def list_persons(self) -> Sequence[Person]:
        """All persons as the file now has them. A file with a fault changes nothing."""
        if (mark := _mark_file(self._file)) != self._mark:
            self._mark = mark
            try:
                self._persons = [*self._owner, *_read_file(self._file)]
            except Misconfigured as fault:
                log.error("%s The persons known so far stay.", fault)
        return self._persons

    def find_by_token(self, token: str) -> Person | None:
        """The person with this token. Takes as long for any wrong token."""
        given = _digest_token(token)
        found = [person for person in self.list_persons() if hmac.compare_digest(given, person.digest)]
        return found[0] if found else None

    def find_by_cookie(self, cookie: str) -> Person | None:
        """The person whose login made this cookie, None if it has expired or was made up."""
        name, _, rest = cookie.rpartition(".")[0].rpartition(".")
        if not rest.isdigit() or int(rest) < time.time():
            return None
        known = [person for person in self.list_persons() if person.name == name]
        matching = [person for person in known if hmac.compare_digest(_sign(person, int(rest)), cookie)]
        return matching[0] if matching else None

    def find_by_headers(self, headers: Headers) -> Person | None:
        """The person of a request: by `Authorization` (Bearer, or Basic with the token as password) or by a cookie."""
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() in ("bearer", "basic"):
            return self.find_by_token(_read_password(given) if scheme.lower() == "basic" else given.strip())
        return self.find_by_cookie(read_cookie(headers))


def make_cookie(person: Person) -> str:
    """What a browser keeps: name, time of its end and a signature."""
    return _sign(person, int(time.time()) + SESSION_SECONDS)


def read_cookie(headers: Headers) -> str:
    """The cookie of a login, "" without one."""
    pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE_NAME), "")


def _sign(person: Person, end: int) -> str:
    signed = f"{person.name}.{end}"
    key = hmac.digest(person.digest, b"merstream console session", "sha256")
    return f"{signed}.{hmac.new(key, signed.encode(), 'sha256').hexdigest()}"


def _digest_token(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _mark_file(file: Path | None) -> tuple[int, int]:
    """Differs when the file differs."""
    try:
        facts = file.stat() if file else None
    except OSError:
        facts = None
    return (facts.st_mtime_ns, facts.st_ino) if facts else (0, 0)


def _read_file(file: Path | None) -> list[Person]:
    if file is None or not file.exists():
        return []
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"MER_API_PEOPLE={file}: expected a readable text file: {error}.") from None
    stated = [(number, _COMMENT.sub("", line).split()) for number, line in enumerate(lines, 1)]
    persons = [_parse_line(file, number, words) for number, words in stated if words]
    names = [person.name for person in persons]
    if twice := next((name for name in names if names.count(name) > 1 or name == TOKEN_OWNER), ""):
        raise Misconfigured(f"MER_API_PEOPLE={file}: expected each name once, and not {TOKEN_OWNER}; got {twice}.")
    return persons


def _parse_line(file: Path, number: int, words: list[str]) -> Person:
    """Raises Misconfigured, which shows no token."""
    known = {role.name.lower(): role for role in Role}
    if len(words) != 3 or not _NAME.fullmatch(words[0]) or words[1] not in known:
        expected = f"NAME ROLE TOKEN with a role of {', '.join(known)}; a name has letters, digits and _ @ . -"
        raise Misconfigured(f"MER_API_PEOPLE={file}, line {number}: expected {expected}.")
    name, role, token = words
    if len(token) < SHORTEST_TOKEN:
        raise Misconfigured(
            f"MER_API_PEOPLE={file}, line {number}: expected a token of {SHORTEST_TOKEN} characters or more, got "
            f"{len(token)}. `openssl rand -hex 20` makes one."
        )
    digest = bytes.fromhex(token) if _DIGEST.fullmatch(token) else _digest_token(token)
    return Person(name, known[role], digest)


def _read_password(credentials: str) -> str:
    """The password in the credentials of HTTP Basic, "" if they are none."""
    try:
        return b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
