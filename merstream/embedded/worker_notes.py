"""What a worker process tells the process that started it, over the pipe between them."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.errors import BadData
from shared.memory_faults import is_memory_fault
from shared.telemetry import Metrics
from shared.worker import MessageHandler, OutgoingMessage
from shared.worker.retry import is_transient


@dataclass(frozen=True)
class WorkerNote:
    """`began`: a stage took the message with this digest. `waiting`, `refused` and `storage` have a sentence.

    After `refused` (a wrong setting, missing weights) and `storage` (a full disk, ...) the process ends.
    """

    event: Literal["began", "ended", "waiting", "refused", "storage"]
    stage: str = ""
    digest: str = ""
    sentence: str = ""


SendNote = Callable[[WorkerNote], None]


@dataclass(frozen=True)
class ReportingHandler:
    """A handler that says when it begins and ends. A message that ended processes before is refused.

    `deadly` maps the digests of such messages to a sentence on what happened.
    """

    handler: MessageHandler
    send_note: SendNote
    deadly: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.handler.name

    @property
    def version(self) -> int:
        return self.handler.version

    def handle(self, value: bytes, metrics: Metrics) -> tuple[str, Sequence[OutgoingMessage]]:
        digest = message_digest(self.name, value)
        if digest in self.deadly:
            raise BadData(self.deadly[digest])
        self.send_note(WorkerNote("began", self.name, digest))
        try:
            return self.handler.handle(value, metrics)
        finally:
            self.send_note(WorkerNote("ended", self.name, digest))


def message_digest(stage: str, value: bytes) -> str:
    """What identifies a message of a stage in notes."""
    return hashlib.sha256(f"{stage} ".encode() + value).hexdigest()


def describe_wait(error: Exception, attempt: int) -> str:
    """What a stage waits for, for its line on the screen."""
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if is_memory_fault(error):
        return f"waiting: memory is short ({reason}), retry {attempt}"
    if is_transient(error):
        return f"waiting: the store refuses ({reason}), retry {attempt}"
    return f"waiting: {type(error).__name__} ({reason}), retry {attempt}"
