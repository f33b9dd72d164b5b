"""The inbox: `python -m services.ingest.inbox`."""

from services.ingest.inbox.inbox import Inbox
from shared.connect import open_inbox
from shared.worker.backlog import Backlog
from shared.worker.process import serve

if __name__ == "__main__":
    serve(
        lambda settings, bus, store, metrics: [
            Inbox(open_inbox(settings), store, bus, settings, metrics),
            Backlog(bus, metrics),  # of all groups: it has to be told also while a stage has no worker
        ]
    )
