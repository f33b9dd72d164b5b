"""Who sends the present request, and a line in the log for what it changes."""

import logging
from contextvars import ContextVar
from dataclasses import dataclass
from enum import IntEnum

log = logging.getLogger("merstream.audit")


class Role(IntEnum):
    """What a person may do. Each role may do what those before it may."""

    LOOK = 1
    RUN = 2
    ADMINISTER = 3


@dataclass(frozen=True)
class Visitor:
    """A person, or anybody where no token is set."""

    name: str = "anybody"
    role: Role = Role.ADMINISTER

    @property
    def is_known(self) -> bool:
        return self != ANYBODY

    @property
    def may_run(self) -> bool:
        """Whether they may upload, start and cancel runs, and replay dead letters."""
        return self.role >= Role.RUN

    @property
    def may_administer(self) -> bool:
        """Whether they may remove datasets and persons, delete runs and discard dead letters, too."""
        return self.role >= Role.ADMINISTER


ANYBODY = Visitor()
VISITOR: ContextVar[Visitor] = ContextVar("visitor", default=ANYBODY)


def note_action(action: str, **objects: str | int) -> None:
    """Log that the present visitor did `action`, and to which objects."""
    log.info(action, extra={"mer": {"stage": "console", "person": VISITOR.get().name, **objects}})
