"""The inbox: `python -m services.ingest.inbox`."""

from services.ingest.inbox.inbox import Inbox
from services.ingest.inbox.video_inbox import VideoInbox
from shared.connect import open_inbox, open_videos
from shared.worker.backlog import BacklogMonitor
from shared.worker.process import serve_loops

if __name__ == "__main__":
    serve_loops(
        lambda settings, bus, store, metrics, stopping: [
            Inbox(open_inbox(settings), store, bus, settings, metrics, stopping),
            VideoInbox(open_videos(settings), store, bus, settings, metrics, stopping),
            BacklogMonitor(bus, metrics, stopping),  # here, since the inbox runs also while a stage has no worker
        ]
    )
