"""The service that removes datasets and persons: python -m services.ingest.withdrawal

It reads no upload but the sheets that name a person's files, and no address reaches it. So the right to delete
everything lies here, and not in a service that unpacks what strangers send.
"""

from services.ingest.withdrawal.loop import WithdrawalLoop
from services.ingest.withdrawal.withdrawing import Withdrawer
from shared.connect import open_inbox
from shared.worker.process import serve_loops

if __name__ == "__main__":
    serve_loops(
        lambda settings, bus, store, metrics, stopping: [
            WithdrawalLoop(store, lambda: Withdrawer(bus, store, open_inbox(settings)), stopping, metrics)
        ]
    )
