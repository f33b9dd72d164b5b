"""Work on the messages of a topic: the loop, the handler of a stage, the process around them."""

from shared.worker.child import WorkAbandoned
from shared.worker.loop import MessageHandler, OutgoingMessage, Worker

__all__ = ["MessageHandler", "OutgoingMessage", "WorkAbandoned", "Worker"]
