"""Stores of artifacts: one protocol, in a folder and on S3."""

from shared.store.base import PIECE, LocalStore, NotStored, ObjectInfo, ObjectReader, Store, check_key

__all__ = ["PIECE", "LocalStore", "NotStored", "ObjectInfo", "ObjectReader", "Store", "check_key"]
