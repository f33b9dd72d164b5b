"""The audit: topics, store and truth compared. It shares no code with the services: it reads messages and objects."""

import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from minio import Minio

from tests.servers.s3 import Endpoint
from tests.torture.truth import TrueClip, Truth

ORDER = ("ingest", "interpolator", "magnifier", "flow", "roi-au")
TOPICS = ("mer.sources", "mer.clips", "mer.interpolated", "mer.magnified", "mer.flows", "mer.features")
HARM_AT = {"bad-data": 0, "killed": 1, "crash": 2, "memory": 3, "endless": 4}  # index of the stage
MOST_DIGESTED = 500  # arrays of a stage
Position = tuple[str, int, int]


@dataclass(frozen=True)
class RawMessage:
    """A message as it lies on a topic. record: its JSON, None for a tombstone."""

    position: Position
    key: str
    record: dict[str, Any] | None
    headers: Mapping[str, str]

    @property
    def identity(self) -> str:
        sample = (self.record or {})["sample"]
        return f"{sample['dataset']}/{sample['subject']}/{sample['clip']}"


@dataclass
class Findings:
    """Sentences by kind. A sound run has none."""

    found: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, sentence: str) -> None:
        self.found[kind].append(sentence)

    @property
    def count(self) -> int:
        return sum(map(len, self.found.values()))

    def counts(self) -> dict[str, int]:
        return {kind: len(self.found[kind]) for kind in ("lost", "doubled", "stuck", "stale", "wrong", "poison")}


class Auditor:
    """Reads everything once and says what is not as it should be."""

    def __init__(self, bootstrap: str, store: Endpoint, truth: Truth) -> None:
        self.bootstrap, self.truth = bootstrap, truth
        self.store = Minio(store.address, store.access_key, store.secret_key, secure=store.secure)

    def measure_lag(self) -> dict[str, int]:
        """Messages that each stage has not finished."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap)
        try:
            lags = {}
            for stage, topic in zip(ORDER, TOPICS, strict=False):
                places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
                ends, firsts = consumer.end_offsets(places), consumer.beginning_offsets(places)
                done = admin.list_group_offsets({stage: places})[stage]
                lags[stage] = sum(max(0, ends[each] - max(_offset(done, each), firsts[each])) for each in places)
            return lags
        finally:
            consumer.close()
            admin.close()

    def read_topic(self, topic: str) -> list[RawMessage]:
        """Every message that is there, partition by partition."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        try:
            places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
            consumer.assign(places)
            ends = consumer.end_offsets(places)
            consumer.seek_to_beginning()
            messages: list[RawMessage] = []
            while any(consumer.position(place) < ends[place] for place in places):
                for place, batch in consumer.poll(1000).items():
                    messages += [_read_message(place, each) for each in batch]
            return messages
        finally:
            consumer.close()

    def audit(self) -> Findings:
        findings = Findings()
        for stage, lag in self.measure_lag().items():
            if lag:
                findings.add("stuck", f"{lag} messages wait for {stage}")
        letters = {stage: self.read_topic(f"mer.{stage}.dlq") for stage in ORDER}
        self._audit_features(findings, letters)
        for number, stage in enumerate(ORDER):
            self._audit_letters(findings, number, letters[stage])
        self._audit_objects(findings)
        return findings

    def _audit_features(self, findings: Findings, letters: Mapping[str, list[RawMessage]]) -> None:
        newest: dict[str, RawMessage] = {}
        for message in self.read_topic("mer.features"):  # a key has one partition, and its messages their order
            newest[message.key] = message
        by_clip: dict[str, list[RawMessage]] = defaultdict(list)
        for message in newest.values():
            if message.record is not None:
                by_clip[message.identity].append(message)
        announced = self._read_announced(findings)
        for identity, clip in self.truth.clips.items():
            if clip.poison:
                if by_clip[identity]:
                    findings.add("poison", f"{identity} is {clip.poison} and has features")
                continue
            version = announced.get(identity)
            if version is None:
                findings.add("lost", f"{identity} was dropped and is announced by no dataset")
                continue
            fitting = [
                message
                for message in by_clip[identity]
                if message.key.endswith(f"@{version}") and message.record["sample"]["emotion"] == clip.emotion  # type: ignore[index]
            ]
            if not fitting:
                have = "other features" if by_clip[identity] else "no features"
                findings.add("stale" if by_clip[identity] else "lost", f"{identity} has {have}, none announced")
            if len({message.record["artifact"]["sha256"] for message in fitting}) > 1:  # type: ignore[index]
                findings.add("doubled", f"{identity} has features of several contents")
            for message in fitting:
                self._audit_value(findings, clip, message)
        for identity in sorted(set(by_clip) - set(self.truth.clips)):
            findings.add("wrong", f"{identity} has features and was never dropped")

    def _audit_value(self, findings: Findings, clip: TrueClip, message: RawMessage) -> None:
        record: Any = message.record
        with np.load(io.BytesIO(self._read_object(record["artifact"]["key"]))) as arrays:
            got = int(arrays["value"])
        expected = clip.number * 1000 + clip.version
        for stage in ORDER:
            expected = expected * 3 + len(stage)
        if got != expected:
            kind = "stale" if (got - expected) % 3 ** len(ORDER) == 0 else "wrong"
            findings.add(kind, f"{clip.identity}: features of value {got}, expected {expected} of its newest frames")

    def _audit_letters(self, findings: Findings, number: int, letters: list[RawMessage]) -> None:
        stage = ORDER[number]
        outstanding: dict[str, RawMessage] = {}
        known: set[str] = set()
        for letter in letters:
            known.add(letter.key)
            if letter.record is None:
                outstanding.pop(letter.key, None)
            else:
                outstanding[letter.key] = letter
        for letter in outstanding.values():
            clip = self.truth.clips.get(letter.identity)
            if clip is None or HARM_AT.get(clip.poison) != number:
                findings.add("poison", f"{stage} buried {letter.identity}: {letter.headers.get('reason', '')[:200]}")
        buried = {letter.identity for letter in outstanding.values()}
        for message in self.read_topic(TOPICS[number]):
            if message.record is None:
                continue
            clip = self.truth.clips.get(message.identity)
            if clip and HARM_AT.get(clip.poison) == number:
                topic, partition, offset = message.position
                if f"{topic}/{partition}@{offset}" not in known:
                    findings.add("poison", f"{message.identity} at {message.position} has no letter of {stage}")
        for identity, clip in self.truth.clips.items():
            if HARM_AT.get(clip.poison) == number and identity not in buried:
                findings.add("poison", f"{identity} is {clip.poison}, and {stage} holds no letter for it")

    def _audit_objects(self, findings: Findings) -> None:
        """Every manifest names bytes that are there and have its digest; of the bytes of many, some are read."""
        keys = {str(found.object_name) for found in self.store.list_objects("mer", recursive=True)}
        for stage in ("source", *ORDER):
            manifests = sorted(key for key in keys if key.startswith(f"{stage}/") and key.endswith(".json"))
            step = -(-len(manifests) // MOST_DIGESTED)
            for number, key in enumerate(manifests):
                artifact = json.loads(self._read_object(key))["artifact"]
                if artifact["key"] not in keys:
                    findings.add("wrong", f"{key} names an array that is not there")
                elif number % step == 0:
                    digest = hashlib.sha256(self._read_object(artifact["key"])).hexdigest()
                    if digest != artifact["sha256"]:
                        findings.add("wrong", f"{key} names an array of other content")

    def _read_object(self, key: str) -> bytes:
        answer = self.store.get_object("mer", key)
        try:
            return bytes(answer.read())
        finally:
            answer.close()
            answer.release_conn()

    def _read_announced(self, findings: Findings) -> dict[str, str]:
        """The version of each clip that the newest notices announce: how the key of its features ends."""
        newest = {message.key: message for message in self.read_topic("mer.datasets")}
        announced: dict[str, str] = {}
        for message in newest.values():
            if message.record is not None:
                dataset = json.loads(self._read_object(f"datasets/{message.record['contents']}.json"))
                announced |= dataset["clips"]
                for fault in dataset["faults"]:
                    findings.add("lost", f"{dataset['name']} is announced with the fault: {fault}")
        return announced


def _offset(done: Mapping[TopicPartition, Any], place: TopicPartition) -> int:
    found = done.get(place)
    return found.offset if found is not None and found.offset >= 0 else 0


def _read_message(place: TopicPartition, each: Any) -> RawMessage:
    headers = {name: value.decode() for name, value in each.headers}
    record = json.loads(each.value) if each.value is not None else None
    return RawMessage((place.topic, place.partition, each.offset), (each.key or b"").decode(), record, headers)
