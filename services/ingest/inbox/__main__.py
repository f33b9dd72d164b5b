from services.ingest.inbox.inbox import Inbox
from shared.connect import open_inbox
from shared.service import serve

if __name__ == "__main__":
    serve(lambda settings, bus, store, metrics: [Inbox(open_inbox(settings), store, bus, settings, metrics)])
