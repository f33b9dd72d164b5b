"""Where artifacts lie: one protocol, a folder and S3."""

from shared.store.base import PIECE, LocalStore, NotStored, ObjectInfo, ObjectReader, Store, check_key

__all__ = ["PIECE", "LocalStore", "NotStored", "ObjectInfo", "ObjectReader", "Store", "check_key"]
