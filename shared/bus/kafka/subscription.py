"""One member of a consumer group: a thread owns the client and keeps polling while a message is worked on.

Two rules prevent a commit by a stale worker. Each assignment of a partition to this member has an epoch of its own. So
work is dropped after a revocation, even if the partition comes back. And the broker accepts a commit only from the
present generation of the group. Rebalances, the check and the commit happen in one thread, so nothing comes between.

A topic that was deleted and made anew is noticed by its id, with the client's next metadata. Then all partitions get
new epochs and start at their first message, because commits carry the mark of the topic that they are of.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import CommitFailedError, KafkaError, RebalanceInProgressError, RetriableError
from kafka.structs import MemberState

from shared.bus import Message, PartitionRevoked
from shared.bus.kafka.assignment import OwnedPartitionsAssignor, PartitionAssignment
from shared.bus.kafka.broker import REFUSAL_ERRORS, Broker
from shared.bus.kafka.topic_identity import find_valid_offset, mark_topic
from shared.bus.kafka.watchdog import Watchdog
from shared.errors import Misconfigured

log = logging.getLogger(__name__)

BATCH_MESSAGES = 100  # messages in the buffer, so that short work does not wait for the broker each time
_TICK_SECONDS = 0.2  # longest turn of a loop that fetches nothing
_REQUEST_MS = 3000  # longest time that one request may delay the loop
_RETRY_SECONDS = 0.5  # wait between attempts while the broker does not answer
_PASSING_ERRORS = (RetriableError, CommitFailedError, RebalanceInProgressError)  # the client recovers by itself


class KafkaSubscription:
    """A member of `group` on `topic`. See `shared.bus.Subscription`.

    While the broker does not answer, `take_message` returns None and `commit` waits for a decision. Both raise an error
    that no retry repairs: a refusal by the broker, or a bug.
    """

    def __init__(
        self,
        broker: Broker,
        topic: str,
        group: str,
        *,
        name: str | None = None,
        session_seconds: float = 45,
        poll_interval_seconds: float = 60,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.broker, self.topic, self.group, self.name = broker, topic, group, name or topic
        self.session_seconds, self.poll_interval_seconds = session_seconds, poll_interval_seconds
        self._assignment = PartitionAssignment()
        self._changed = threading.Condition()
        self._buffered_messages: deque[tuple[Message, int]] = deque()
        self._work_in_hand: tuple[Message, int] | None = None
        self._requested_commit: tuple[Message, int] | None = None  # a commit for the loop to make
        self._commit_refused = False
        self._failure: BaseException | None = None
        self._closing = False
        # Only the loop's thread uses these.
        self._positioned_epochs: dict[int, int] = {}
        self._member_id = ""
        self._topic_mark = ""
        self._watchdog = watchdog or Watchdog(120)
        self._thread = threading.Thread(target=self._run_thread, name=f"kafka-{topic}", daemon=True)
        self._watchdog.start()
        self._thread.start()

    def take_message(self, timeout: float) -> Message | None:
        with self._changed:
            if self._work_in_hand and self._is_current(self._work_in_hand):
                return self._work_in_hand[0]  # it is not committed, so no later one may be
            self._work_in_hand = None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._has_waiting_message() or self._has_ended(), timeout)
            if self._has_waiting_message():
                self._work_in_hand = self._buffered_messages.popleft()
                return self._work_in_hand[0]
            self._raise_failure()
            return None

    def take_batch(self, timeout: float) -> list[Message]:
        first = self.take_message(timeout)
        if first is None:
            return []
        batch = [first]
        with self._changed:
            while self._has_waiting_message() and self._buffered_messages[0][0].partition == first.partition:
                self._work_in_hand = self._buffered_messages.popleft()
                batch.append(self._work_in_hand[0])
        return batch

    def is_member(self) -> bool:
        return bool(self._member_id)

    def is_stalled(self) -> bool:
        return self._watchdog.is_late or self._failure is not None

    def owns_message(self, message: Message) -> bool:
        with self._changed:
            return self._is_in_work(message) and not self._has_ended()

    def commit(self, message: Message) -> None:
        with self._changed:
            self._raise_failure()
            if self._has_ended() or not self._is_in_work(message):
                raise PartitionRevoked(message)
            self._requested_commit, self._commit_refused = self._work_in_hand, False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._requested_commit is None or self._has_ended())
            self._raise_failure()
            if self._requested_commit is not None or self._commit_refused:
                raise PartitionRevoked(message)

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(30)
        self._watchdog.stop()

    # State that both threads share. The caller holds the condition.

    def _is_current(self, held: tuple[Message, int]) -> bool:
        message, epoch = held
        return self._assignment.partition_epochs().get(message.partition) == epoch

    def _is_in_work(self, message: Message) -> bool:
        return (
            self._work_in_hand is not None and self._work_in_hand[0] == message and self._is_current(self._work_in_hand)
        )

    def _has_waiting_message(self) -> bool:
        """Whether a message waits. Drops those of lost partitions."""
        while self._buffered_messages and not self._is_current(self._buffered_messages[0]):
            self._buffered_messages.popleft()
        return bool(self._buffered_messages)

    def _has_ended(self) -> bool:
        return self._closing or self._failure is not None

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _is_idle(self) -> bool:
        """Whether the loop only has to stay in the group."""
        with self._changed:
            return (
                (self._work_in_hand is not None or self._has_waiting_message())
                and self._requested_commit is None
                and not self._closing
            )

    # The following run in the loop's thread.

    def _run_thread(self) -> None:
        while not self._closing and self._failure is None:
            try:
                self._watchdog.heartbeat()
                self._consume_until_closed()
            except REFUSAL_ERRORS as error:
                self._record_failure(Misconfigured(f"{self.name}: the broker refuses group {self.group}: {error!r}"))
            except (KafkaError, OSError) as error:
                log.warning("%s: the broker does not answer, next attempt follows: %r", self.name, error)
                time.sleep(_RETRY_SECONDS)
            except BaseException as error:
                log.exception("%s: the loop of the consumer ended", self.name)
                self._record_failure(error)
        self._watchdog.stop()

    def _record_failure(self, error: BaseException) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _consume_until_closed(self) -> None:
        """From joining the group to leaving it."""
        consumer = self._join_group()
        try:
            while not self._closing:
                self._watchdog.heartbeat()
                try:
                    self._poll_once(consumer)
                except _PASSING_ERRORS as error:
                    log.warning("%s: next attempt follows: %r", self.name, error)
                    time.sleep(_RETRY_SECONDS)
        finally:
            self._assignment.forget_partitions()
            self._positioned_epochs.clear()
            self._member_id = ""
            consumer.close(autocommit=False, timeout_ms=_REQUEST_MS)

    def _join_group(self) -> Any:
        consumer = self.broker.connect_client(
            KafkaConsumer,
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            metrics_enabled=False,
            partition_assignment_strategy=[OwnedPartitionsAssignor(self.topic, self._assignment)],
            session_timeout_ms=int(self.session_seconds * 1000),
            heartbeat_interval_ms=int(min(3.0, self.session_seconds / 4) * 1000),
            max_poll_interval_ms=int(self.poll_interval_seconds * 1000),
        )
        consumer.subscribe([self.topic], listener=self._assignment)
        return consumer

    def _poll_once(self, consumer: Any) -> None:
        self._notice_new_topic(consumer)
        self._position_new_partitions(consumer)
        self._commit_requested(consumer)
        idle = self._is_idle()
        (consumer.pause if idle else consumer.resume)(*consumer.assignment())
        stable = consumer.group_metadata().state == MemberState.STABLE
        # This client misses a join that completes between two polls, and requests it again: then poll without a gap.
        timeout = 0 if idle and stable else int(_TICK_SECONDS * 1000)
        self._buffer_messages(consumer.poll(timeout, max_records=BATCH_MESSAGES))
        self._notice_new_membership(consumer)
        if consumer.group_metadata().state == MemberState.REBALANCING:
            # After a change of metadata this client forgets a join that takes longer than a poll. Then the member
            # never comes back (3.0.12: need_rejoin is false again as soon as the leader has assigned).
            consumer._coordinator.request_rejoin()
        if idle and stable:
            with self._changed:
                self._changed.wait_for(lambda: not self._is_idle(), _TICK_SECONDS)

    def _position_new_partitions(self, consumer: Any) -> None:
        """Start new partitions at the group's commit, or at the first message, which is committed then.

        From then on the group's lag is correct, also for a reader of commits only.
        """
        epochs = self._assignment.partition_epochs()
        fresh = [
            TopicPartition(self.topic, p) for p, epoch in epochs.items() if self._positioned_epochs.get(p) != epoch
        ]
        if not fresh:
            return
        commits = {partition: consumer.committed(partition, True, timeout_ms=_REQUEST_MS) for partition in fresh}
        starts = {partition: find_valid_offset(commit, self._topic_mark) for partition, commit in commits.items()}
        if never := [partition for partition, offset in starts.items() if offset is None]:
            first = consumer.beginning_offsets(never, timeout_ms=_REQUEST_MS)
            consumer.commit({p: self._describe_commit(first[p]) for p in never}, timeout_ms=_REQUEST_MS)
            starts |= first
        for partition, offset in starts.items():
            consumer.seek(partition, offset)
            self._positioned_epochs[partition.partition] = epochs[partition.partition]

    def _describe_commit(self, offset: int) -> OffsetAndMetadata:
        return OffsetAndMetadata(offset, self._topic_mark, -1)

    def _notice_new_topic(self, consumer: Any) -> None:
        """Drop buffer, work and positions if the topic has become another one of the same name."""
        mark = mark_topic(consumer._cluster.topic_id(self.topic))
        if not mark or mark == self._topic_mark:  # no mark while the topic is away
            return
        if self._topic_mark:
            log.warning("topic %s was made anew: group %s reads it from its beginning", self.name, self.group)
            self._assignment.renew_epochs()
        self._topic_mark = mark

    def _buffer_messages(self, polled: dict[TopicPartition, list[Any]]) -> None:
        """Buffer messages of partitions with a known start. Others are fetched again when their start is known."""
        epochs = self._assignment.partition_epochs()
        with self._changed:
            for partition, records in polled.items():
                epoch = epochs.get(partition.partition)
                if epoch is not None and self._positioned_epochs.get(partition.partition) == epoch:
                    self._buffered_messages.extend(
                        (message_from_record(record, self.name), epoch) for record in records
                    )
            self._changed.notify_all()

    def _commit_requested(self, consumer: Any) -> None:
        """Make the requested commit if its partition is still assigned.

        A commit that fails is repeated after the next poll. By then it succeeds, or the poll has noticed that the
        partition was lost.
        """
        with self._changed:
            if self._requested_commit is None:
                return
            message, current = self._requested_commit[0], self._is_current(self._requested_commit)
        if current:
            partition = TopicPartition(self.topic, message.partition)
            try:
                consumer.commit({partition: self._describe_commit(message.offset + 1)}, timeout_ms=_REQUEST_MS)
            except REFUSAL_ERRORS:
                raise
            except KafkaError as error:
                log.warning("commit of %s failed, next attempt follows: %r", message.position, error)
                return
        with self._changed:
            self._requested_commit, self._work_in_hand, self._commit_refused = None, None, not current
            self._changed.notify_all()

    def _notice_new_membership(self, consumer: Any) -> None:
        """Renew the epochs of a member that was removed while it joined: this client rejoins without a revocation."""
        member = consumer.group_metadata()
        if member.state != MemberState.STABLE or member.member_id == self._member_id:
            return
        if self._member_id:
            self._assignment.renew_epochs()
        self._member_id = member.member_id


def message_from_record(record: Any, topic: str) -> Message:
    """The message of a record of the client. In a key or header that is no UTF-8, wrong bytes are replaced."""
    text: Callable[[bytes | None], str] = lambda data: (data or b"").decode(errors="replace")  # noqa: E731
    headers = {key: text(value) for key, value in record.headers}
    return Message(topic, record.partition, record.offset, text(record.key), record.value or b"", headers)
