"""A limit of failed logins for each address. A right token is let in all the same: others lock nobody out."""

import logging
import time
from collections import Counter
from dataclasses import dataclass

from starlette.types import Scope

MOST_FAILURES = 10  # of an address in a minute
MOST_ADDRESSES = 10_000
WRONG_TOKEN = (
    "Expected the token of a person, or that of the deployment (MER_API_TOKEN). A program sends it as "
    "`Authorization: Bearer TOKEN`, or as the password of any user name."
)
TOO_MANY = "Too many wrong tokens have come from this address. Wait a minute."

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoginRefusal:
    """What a failed login is told."""

    status: int
    sentence: str


class FailedLogins:
    """Counts wrong tokens by address and minute. Those over the limit are not logged, so nobody can fill the log."""

    def __init__(self) -> None:
        self._minute, self._counts = 0, Counter[str]()

    def describe_failure(self, scope: Scope) -> LoginRefusal:
        """Count a failure and say what it is told."""
        minute, address = int(time.time() // 60), (scope.get("client") or ("unknown", 0))[0]
        if minute != self._minute or len(self._counts) > MOST_ADDRESSES:
            self._minute = minute
            self._counts.clear()
        self._counts[address] += 1
        if self._counts[address] > MOST_FAILURES:
            return LoginRefusal(429, TOO_MANY)
        log.warning("login failed", extra={"mer": {"stage": "console", "address": address}})
        return LoginRefusal(401, WRONG_TOKEN)
