"""Where artifacts lie: one protocol, a folder and S3."""

from shared.store.base import PIECE, Entry, LocalStore, NotStored, Store, check_key

__all__ = ["PIECE", "Entry", "LocalStore", "NotStored", "Store", "check_key"]
