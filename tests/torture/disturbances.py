"""What is done to a stack while it works. Each function does one thing and returns when it is over."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from tests.torture.lab import MOST_SKEW, TortureLab
from tests.torture.truth import EMOTIONS, Truth

LONGEST_FREEZE = 12.0  # s; a member is missed after six
DISK_FULL_SECONDS = 20.0
QUICK_SECONDS, SLOW_SECONDS = 3.0, 20.0  # longest pauses after a quick and after a slow disturbance

Disturbance = Callable[[], None]


class Tormentor:
    """Disturbs a lab until it is told to stop; the order is the seed's. `done` counts what was injected.

    What takes long goes on beside what is quick: services are also killed while the broker is down.
    """

    def __init__(self, lab: TortureLab, truth: Truth, seed: int) -> None:
        self.lab, self.truth, self.seed = lab, truth, seed
        self.chance = random.Random(f"what {seed}")
        self.done: Counter[str] = Counter()
        self.quick: dict[Disturbance, float] = {
            self.kill_service: 8,
            self.freeze_service: 3,
            self.repeat_messages: 3,
            self.drop_clip_anew: 4,
            self.relabel_clips: 2,
        }
        self.slow: dict[Disturbance, float] = {
            self.replay_letters: 3,
            self.restart_broker: 2,
            self.restart_store: 2,
            self.fill_disk: 1,
        }

    def disturb_until(self, deadline: float) -> None:
        """Two threads of one disturbance after the other; every kind at least once. deadline: of time.monotonic().

        The slow ones are this thread's: a server dies with the thread that started it.
        """
        quick = threading.Thread(target=self._disturb, args=(deadline, self.quick, QUICK_SECONDS, "quick"))
        quick.start()
        self._disturb(deadline, self.slow, SLOW_SECONDS, "slow")
        quick.join()

    def _disturb(self, deadline: float, frequencies: dict[Disturbance, float], pause: float, name: str) -> None:
        chance, kinds = random.Random(f"{name} {self.seed}"), list(frequencies)
        waiting = chance.sample(kinds, len(kinds))
        while time.monotonic() < deadline or waiting:
            chosen = waiting.pop() if waiting else chance.choices(kinds, list(frequencies.values()))[0]
            chosen()
            time.sleep(chance.uniform(0, pause))

    def kill_service(self) -> None:
        service = self.chance.choice(self.lab.services)
        service.process.kill()
        self.done["killed with -9"] += 1

    def freeze_service(self) -> None:
        """Long enough that the group goes on without it, most times."""
        service = self.chance.choice(self.lab.services)
        service.process.send_signal(signal.SIGSTOP)

        def thaw() -> None:
            with suppress(ProcessLookupError):
                service.process.send_signal(signal.SIGCONT)

        threading.Timer(self.chance.uniform(1, LONGEST_FREEZE), thaw).start()
        self.done["frozen and thawed"] += 1

    def repeat_messages(self) -> None:
        """Old messages of a topic once more, in another order, with a clock that is hours wrong."""
        topic = self.chance.choice(["mer.sources", "mer.clips", "mer.interpolated", "mer.magnified", "mer.flows"])
        with suppress(KafkaError):  # a broker that is just restarted answers nobody
            messages = read_some(self.lab.kafka.bootstrap, topic, self.chance, 20)
            self.chance.shuffle(messages)
            producer = KafkaProducer(bootstrap_servers=self.lab.kafka.bootstrap, acks="all")
            skew = self.chance.uniform(-MOST_SKEW, MOST_SKEW)
            for key, value, headers in messages:
                at = int((time.time() + skew) * 1000)
                producer.send(topic, value, key, headers, timestamp_ms=at)
            producer.flush(30)
            producer.close()
            self.done["repeated, out of order"] += len(messages)

    def drop_clip_anew(self) -> None:
        clip = self.truth.clips[self.chance.choice(sorted(self.truth.clips))]
        if not clip.poison:
            self.lab.drop_clip(self.truth.drop_anew(clip.identity))
            self.done["dropped anew"] += 1

    def relabel_clips(self) -> None:
        dataset = self.chance.choice(self.truth.datasets)
        sound = [clip for clip in self.truth.clips_of(dataset) if not clip.poison]
        for clip in self.chance.sample(sound, min(5, len(sound))):
            self.truth.relabel(clip.identity, self.chance.choice(EMOTIONS))
            self.done["relabelled"] += 1
        self.lab.upload([self.truth.sheet_of(dataset)])

    def replay_letters(self) -> None:
        self.lab.mer("dead-letters", "replay", "--all")
        self.done["letters replayed"] += 1

    def restart_broker(self) -> None:
        self.lab.kafka.restart()
        self.done["broker killed, restarted"] += 1

    def restart_store(self) -> None:
        self.lab.store.kill()
        self.lab.store.start()
        self.done["store killed, restarted"] += 1

    def fill_disk(self) -> None:
        if not self.lab.disk.is_mounted:
            self.done["disk full (not injected: it needs the right to mount)"] = 0
            return
        self.lab.disk.fill()
        time.sleep(DISK_FULL_SECONDS)
        self.lab.disk.free()
        self.done["store's disk full"] += 1


def read_some(
    bootstrap: str, topic: str, chance: random.Random, count: int
) -> list[tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]]:
    """Up to `count` consecutive messages (key, value, headers) of one of the topic's partitions."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        partitions = sorted(consumer.partitions_for_topic(topic) or ())
        place = TopicPartition(topic, chance.choice(partitions))
        consumer.assign([place])
        first, last = consumer.beginning_offsets([place])[place], consumer.end_offsets([place])[place]
        if first == last:
            return []
        consumer.seek(place, chance.randint(first, last - 1))
        found = consumer.poll(2000, max_records=count).get(place, [])
        return [(each.key, each.value, list(each.headers)) for each in found if each.value is not None]
    finally:
        consumer.close()
