"""`LocalBus`: topics, groups and offsets in one SQLite file, shared by the processes of one machine.

A member has a lease on the one partition that it works on. Leases have no clock. A member keeps an exclusive lock on a
file of its own, which the kernel drops when the process ends in any way. A lease whose lock is free is void.
"""

import fcntl
import json
import os
import sqlite3
import threading
import time
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from shared.bus import Batch, GroupProgress, Message, PartitionRevoked, Update
from shared.bus.topics import TOPICS, Topic

_CREATE_TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, partition INTEGER NOT NULL,
    "offset" INTEGER NOT NULL, key TEXT NOT NULL, value BLOB, headers TEXT NOT NULL,
    UNIQUE (topic, partition, "offset"));
CREATE TABLE IF NOT EXISTS offsets (
    "group" TEXT, topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY ("group", topic, partition));
CREATE TABLE IF NOT EXISTS leases (
    "group" TEXT, topic TEXT, partition INTEGER, member TEXT NOT NULL, PRIMARY KEY ("group", topic, partition));
"""
# The next message of every partition and the member that has it, in the order of publication.
_SELECT_WAITING = """
SELECT m.partition, m."offset", m.key, m.value, m.headers, l.member FROM messages m
LEFT JOIN offsets o ON o."group" = :group AND o.topic = m.topic AND o.partition = m.partition
LEFT JOIN leases l ON l."group" = :group AND l.topic = m.topic AND l.partition = m.partition
WHERE m.topic = :topic AND m."offset" = coalesce(o.next, 0) ORDER BY m.sequence
"""
_LOCAL_POLL_SECONDS = 0.05


class LocalBus:
    """Bus over the SQLite file `file`. Open it once per process."""

    def __init__(self, file: Path, topics: Mapping[str, Topic] = TOPICS) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self.topics = topics
        self.members_folder = file.with_suffix(".members")
        self.members_folder.mkdir(exist_ok=True)
        self._lock = threading.Lock()
        self._subscriptions: list[LocalSubscription] = []
        self._database = sqlite3.connect(file, timeout=60, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        with self.exclusive_transaction() as database:
            for statement in filter(str.strip, _CREATE_TABLES.split(";")):
                database.execute(statement)

    def publish(self, topic: str, key: str, value: bytes | None, headers: Mapping[str, str] | None = None) -> None:
        partition = zlib.crc32(key.encode()) % self.topics[topic].partitions
        with self.exclusive_transaction() as database:
            database.execute(
                'INSERT INTO messages (topic, partition, "offset", key, value, headers) SELECT ?1, ?2,'
                ' (SELECT coalesce(max("offset") + 1, 0) FROM messages WHERE topic = ?1 AND partition = ?2),'
                " ?3, ?4, ?5",
                (topic, partition, key, value, json.dumps(dict(headers or {}))),
            )

    def subscribe(self, topic: str, group: str) -> "LocalSubscription":
        member = LocalSubscription(self, self.topics[topic].name, group)
        self._subscriptions.append(member)
        return member

    def read_newest(self, topic: str) -> dict[str, Message]:
        return {message.key: message for message in self.select_newest(topic).values()}

    def select_newest(self, topic: str) -> dict[int, Message]:
        """The newest message of every key by its number on this bus, the newest last."""
        with self.exclusive_transaction() as database:
            rows = database.execute(
                'SELECT topic, partition, "offset", key, value, headers, max(sequence) FROM messages WHERE topic = ?'
                " GROUP BY key ORDER BY max(sequence)",
                (self.topics[topic].name,),
            ).fetchall()
        kept = (row for row in rows if row[4] is not None)
        return {row[6]: Message(row[0], row[1], row[2], row[3], row[4], json.loads(row[5])) for row in kept}

    def read_version(self) -> tuple[int, int]:
        """Another pair once a process has changed this bus: a number for those of others, and one for own changes."""
        with self._lock:
            (others,) = self._database.execute("PRAGMA data_version").fetchone()
            return others, self._database.total_changes

    def follow(self, topic: str) -> "LocalFollower":
        return LocalFollower(self, topic)

    def erase_messages(self, topic: str, covers: Callable[[str], bool], group: str | None = None) -> int:
        with self.exclusive_transaction() as database:
            database.execute("PRAGMA secure_delete = ON")
            rows = database.execute("SELECT sequence, key, value IS NULL FROM messages WHERE topic = ?", (topic,))
            chosen = [(sequence, empty) for sequence, key, empty in rows.fetchall() if covers(key)]
            # The row stays: offsets count rows.
            database.executemany(
                "UPDATE messages SET key = '', value = NULL, headers = '{}' WHERE sequence = ?",
                [(sequence,) for sequence, _ in chosen],
            )
        if chosen:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # no copy stays beside the file
        return sum(not empty for _, empty in chosen)

    def group_progress(self, topic: str, group: str) -> GroupProgress:
        with self.exclusive_transaction() as database:
            counts = "SELECT partition, count(*) FROM messages WHERE topic = ? GROUP BY partition"
            published = dict(database.execute(counts, (topic,)).fetchall())
            offsets = 'SELECT partition, next FROM offsets WHERE topic = ? AND "group" = ?'
            committed = dict(database.execute(offsets, (topic, group)).fetchall())
        heads = {partition: committed.get(partition, 0) for partition in published}
        unfinished = {partition: head for partition, head in heads.items() if head < published[partition]}
        return GroupProgress(sum(published.values()), sum(committed.values()), unfinished)

    def close(self) -> None:
        for member in self._subscriptions:
            member.close()
        self._database.close()

    @contextmanager
    def exclusive_transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that excludes those of all other threads and processes."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # a full disk may have ended it
                    self._database.execute("ROLLBACK")
                raise


class LocalFollower:
    """A `shared.bus.Follower`. It compares the whole topic with what it read before, so it sees erased messages too."""

    def __init__(self, bus: LocalBus, topic: str) -> None:
        self.bus, self.topic = bus, topic
        self._known: dict[str, int] | None = None  # numbers of messages by key
        self._version: tuple[int, int] | None = None  # of the bus at the last whole read

    def read_batches(self) -> Iterator[Batch]:
        if (version := self.bus.read_version()) == self._version:
            return
        newest, known = self.bus.select_newest(self.topic), self._known or {}
        now = {message.key: number for number, message in newest.items()}
        updates = [Update(key, None, (0, 0, 0)) for key in known.keys() - now.keys()]
        updates += [Update(each.key, each, (0, 0, n)) for n, each in newest.items() if known.get(each.key) != n]
        if updates or self._known is None:
            yield Batch(from_start=self._known is None, updates=updates)
        self._known, self._version = now, version

    def close(self) -> None: ...


class LocalSubscription:
    """A member of `group`. See `shared.bus.Subscription`."""

    def __init__(self, bus: LocalBus, topic: str, group: str) -> None:
        self.bus, self.topic, self.group = bus, topic, group
        self.member_id = uuid.uuid4().hex
        self._lock_file = (bus.members_folder / self.member_id).open("w")
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)

    def take_message(self, timeout: float) -> Message | None:
        deadline = time.monotonic() + timeout
        while (message := self._lease_next_message()) is None and time.monotonic() < deadline:
            time.sleep(_LOCAL_POLL_SECONDS)
        return message

    def take_batch(self, timeout: float) -> list[Message]:
        message = self.take_message(timeout)
        return [] if message is None else [message]

    def is_member(self) -> bool:
        return True

    def is_stalled(self) -> bool:
        return False

    def owns_message(self, message: Message) -> bool:
        with self.bus.exclusive_transaction() as database:
            return self._holds_lease(database, message)

    def commit(self, message: Message) -> None:
        with self.bus.exclusive_transaction() as database:
            if not self._holds_lease(database, message):
                raise PartitionRevoked(message)
            database.execute(
                "INSERT OR REPLACE INTO offsets VALUES (?, ?, ?, ?)",
                (self.group, self.topic, message.partition, message.offset + 1),
            )
            self._release_lease(database)

    def close(self) -> None:
        if self._lock_file.closed:
            return
        with self.bus.exclusive_transaction() as database:
            self._release_lease(database)
        (self.bus.members_folder / self.member_id).unlink(missing_ok=True)
        self._lock_file.close()

    def _lease_next_message(self) -> Message | None:
        names = {"group": self.group, "topic": self.topic}
        with self.bus.exclusive_transaction() as database:
            for partition, offset, key, value, headers, holder in database.execute(_SELECT_WAITING, names).fetchall():
                if holder is None or not self._is_member_alive(holder):
                    database.execute(
                        "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?)",
                        (self.group, self.topic, partition, self.member_id),
                    )
                    return Message(self.topic, partition, offset, key, value or b"", json.loads(headers))
        return None

    def _is_member_alive(self, member: str) -> bool:
        file = self.bus.members_folder / member
        try:
            with closing(os.fdopen(os.open(file, os.O_RDWR), "w")) as theirs:
                fcntl.flock(theirs, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        file.unlink(missing_ok=True)
        return False

    def _holds_lease(self, database: sqlite3.Connection, message: Message) -> bool:
        held = database.execute(
            'SELECT 1 FROM leases WHERE "group" = ? AND topic = ? AND partition = ? AND member = ?',
            (self.group, self.topic, message.partition, self.member_id),
        )
        return held.fetchone() is not None

    def _release_lease(self, database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM leases WHERE member = ?", (self.member_id,))
