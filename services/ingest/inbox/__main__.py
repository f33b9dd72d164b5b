"""The inbox: `python -m services.ingest.inbox`."""

from services.ingest.inbox.inbox import Inbox
from shared.connect import open_inbox
from shared.worker.backlog import BacklogMonitor
from shared.worker.process import serve_loops

if __name__ == "__main__":
    serve_loops(
        lambda settings, bus, store, metrics, stopping: [
            Inbox(open_inbox(settings), store, bus, settings, metrics, stopping),
            BacklogMonitor(bus, metrics, stopping),  # here, since the inbox runs also while a stage has no worker
        ]
    )
