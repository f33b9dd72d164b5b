"""The features on `mer.features`, kept as compressed bytes: the planner may hold those of 750,000 clips."""

import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import overload

from shared.bus import Bus, Update
from shared.bus.topics import FEATURES
from shared.records import Record
from shared.topic_views import decode_records

WINDOW = 32_768  # bytes of a dictionary that zlib uses


class RecordPacker:
    """Compresses encoded records. The first record is the dictionary of all: what they have in common costs nothing."""

    def __init__(self) -> None:
        self._dictionary = b""

    def pack_record(self, data: bytes) -> bytes:
        """The compressed bytes of an encoded record."""
        self._dictionary = self._dictionary or data[-WINDOW:]
        compressor = zlib.compressobj(zdict=self._dictionary)
        return compressor.compress(data) + compressor.flush()

    def unpack_record(self, packed: bytes) -> Record:
        """The record of bytes that this packer compressed."""
        return Record.decode(zlib.decompressobj(zdict=self._dictionary).decompress(packed))


class PackedRecords(Sequence[Record]):
    """Records that are decoded whenever they are read. Two of the same view are equal if their bytes are."""

    def __init__(self, packed: Sequence[bytes], packer: RecordPacker) -> None:
        self._packed, self._packer = packed, packer

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> "PackedRecords": ...
    def __getitem__(self, index: int | slice) -> "Record | PackedRecords":
        if isinstance(index, slice):
            return PackedRecords(self._packed[index], self._packer)
        return self._packer.unpack_record(self._packed[index])

    def __len__(self) -> int:
        return len(self._packed)

    def __add__(self, other: "PackedRecords") -> "PackedRecords":
        """All records of both. Those of another view are compressed anew, as their dictionary is another one."""
        same = other._packer is self._packer
        theirs = other._packed if same else [self._packer.pack_record(record.encode()) for record in other]
        return PackedRecords([*self._packed, *theirs], self._packer)

    def pick_packed(self, numbers: Iterable[int]) -> "PackedRecords":
        """The records with these numbers, in this order."""
        return PackedRecords([self._packed[number] for number in numbers], self._packer)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PackedRecords) and (self._packer, self._packed) == (other._packer, other._packed)


def pick_records(records: Sequence[Record], numbers: Iterable[int]) -> Sequence[Record]:
    """The records with these numbers, in this order. Packed records stay packed."""
    if isinstance(records, PackedRecords):
        return records.pick_packed(numbers)
    return tuple(records[number] for number in numbers)


class FeatureIndex(Mapping[str, Record]):
    """Features by record key, as of one moment. A record is decoded whenever it is read.

    `groups` has one mapping for each dataset that the keys name. A group without changes is the same object in the next
    index of a view.
    """

    def __init__(self, groups: Mapping[str, Mapping[str, bytes]], packer: RecordPacker) -> None:
        self.groups, self.packer = groups, packer

    def __getitem__(self, key: str) -> Record:
        return self.packer.unpack_record(self.groups[group_name(key)][key])

    def __iter__(self) -> Iterator[str]:
        return (key for group in self.groups.values() for key in group)

    def __len__(self) -> int:
        return sum(map(len, self.groups.values()))

    def find_packed(self, key: str) -> bytes | None:
        """A record for `PackedRecords`, which is not decoded here."""
        group = self.groups.get(group_name(key))
        return group.get(key) if group else None


def group_name(key: str) -> str:
    """The dataset in a record key or in the identity of a sample."""
    return key.partition("/")[0]


def index_features(records: Iterable[Record]) -> FeatureIndex:
    """These records by key."""
    groups, packer = defaultdict[str, dict[str, bytes]](dict), RecordPacker()
    for record in records:
        groups[group_name(record.key)][record.key] = packer.pack_record(record.encode())
    return FeatureIndex(dict(groups), packer)


class FeaturesView:
    """The features on `mer.features`. A message that is no record is logged and left out."""

    def __init__(self, bus: Bus) -> None:
        self._follower, self._packer = bus.follow(FEATURES.name), RecordPacker()
        self._decode = decode_records(FEATURES.name, lambda key: Record)
        self._groups: dict[str, dict[str, bytes]] = {}
        self._unshared: set[str] = set()  # groups that are in no index yet
        self._older_keys: dict[str, str] = {}  # record keys by the shorter message keys of older versions
        self._newest = FeatureIndex({}, self._packer)

    def read_newest(self) -> FeatureIndex:
        """The features as of now, the same object as before if nothing has changed. Raises Unavailable."""
        for batch in self._follower.read_batches():
            if batch.from_start:
                self._groups, self._unshared, self._older_keys = {}, set(), {}
            for update in batch.updates:
                self._apply_update(update)
        if self._unshared or self._groups.keys() != self._newest.groups.keys():
            self._newest, self._unshared = FeatureIndex(dict(self._groups), self._packer), set()
        return self._newest

    def close(self) -> None:
        """Release the follower. A later read opens it again."""
        self._follower.close()

    def _apply_update(self, update: Update) -> None:
        key, message = update.key, update.message
        record = self._decode(message) if message else None
        if key.count("@") < 2:
            self._put(self._older_keys.pop(key, key), None)
            if record:
                self._older_keys[key] = record.key
                key = record.key
        self._put(key, self._packer.pack_record(message.value) if message and record else None)

    def _put(self, key: str, packed: bytes | None) -> None:
        name = group_name(key)
        group = self._groups.get(name, {})
        if group.get(key) == packed:
            return
        if name not in self._unshared:
            group = self._groups[name] = dict(group)
            self._unshared.add(name)
        if packed is None:
            del group[key]
        else:
            group[key] = packed
