"""What works on the messages of a topic: the loop, a stage's handler, the process around them."""

from shared.worker.loop import MessageHandler, OutgoingMessage, WorkAbandoned, Worker

__all__ = ["MessageHandler", "OutgoingMessage", "WorkAbandoned", "Worker"]
