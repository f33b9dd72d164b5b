"""A stack to be tortured: a broker, a store on a small disk, the inbox, and every stage's workers, watched over."""

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shared.errors import MerError
from shared.settings import Settings
from shared.setup import set_up_servers
from tests.integration.test_setup import TellingMinio
from tests.servers.kafka import KafkaServer
from tests.servers.process import DIE_WITH_PARENT
from tests.torture.cheap_stages import ORDER
from tests.torture.truth import TrueClip, Truth

UPLOADERS = 4
MOST_SKEW = 7200.0  # s by which a process' clock is wrong
DISK_BYTES = 6 * 2**30
QUICK = {
    "inbox_settle_seconds": 1,
    "inbox_scan_seconds": 5,
    "inbox_patience_seconds": 20,
    "retry_base_seconds": 0.1,
    "retry_cap_seconds": 2,
    "kafka_session_seconds": 6,
    "kafka_poll_interval_seconds": 10,
    "grace_seconds": 5,
    "log_level": "WARNING",
    "work_seconds": 30,
    "port": 0,
}


@dataclass
class Service:
    """One process of the stack, restarted whenever it ends, as an orchestrator does."""

    name: str
    command: list[str]
    process: "subprocess.Popen[bytes]"


class SmallDisk:
    """A folder on a disk of its own, so that it can be full. Without the right to mount, an ordinary folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder, self.ballast = folder, folder / "ballast"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "torture", str(folder)]
        self.is_mounted = subprocess.run(mount, capture_output=True).returncode == 0

    def fill(self) -> None:
        """Returns with not one byte left."""
        with self.ballast.open("ab", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(1 << 20))

    def free(self) -> None:
        self.ballast.unlink(missing_ok=True)

    def remove(self) -> None:
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", str(self.folder)], capture_output=True)


class TortureLab:
    """Servers and services in a folder. `exits` counts how services ended by themselves, by name and exit code."""

    def __init__(self, folder: Path, seed: int, workers: int, settings: dict[str, object]) -> None:
        self.folder, self.chance = folder, random.Random(f"lab {seed}")
        (folder / "kafka").mkdir(parents=True)
        self.kafka = KafkaServer(folder / "kafka")
        self.kafka.start()
        self.disk = SmallDisk(folder / "disk")
        self.store = TellingMinio(folder / "disk" / "minio", self.kafka.bootstrap, "mer.bucket-events")
        self.store.start()
        where = self.store.endpoint
        given = QUICK | settings | {"kafka_servers": self.kafka.bootstrap, "s3_endpoint": where.address}
        given |= {"s3_access_key": where.access_key, "s3_secret_key": where.secret_key, "s3_tls": False}
        given |= {"scratch": folder / "scratch", "home": folder / "home"}
        (folder / "scratch").mkdir()
        set_up_servers(
            Settings.model_validate(given | {"kafka_servers": self.kafka.bootstrap}),
            replication=1,
            min_insync=1,
        )
        self.environment = {f"MER_{name.upper()}": str(value) for name, value in given.items()}
        self.inbox = where.store("datasets")
        self.exits: Counter[str] = Counter()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self.services = [self._start("inbox", ["services.ingest.inbox"])]
        for stage, *_ in ORDER:
            for number in range(workers):
                self.services.append(self._start(f"{stage} {number}", ["tests.torture.service", stage]))
        self._guard = threading.Thread(target=self._watch_over)
        self._guard.start()

    def _start(self, name: str, command: list[str]) -> Service:
        skew = self.chance.uniform(-MOST_SKEW, MOST_SKEW)
        environment = {**os.environ, **self.environment, "TORTURE_SKEW": f"{skew:.1f}", "OMP_NUM_THREADS": "1"}
        with (self.folder / f"{name.replace(' ', '-')}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=DIE_WITH_PARENT,
            )
        return Service(name, command, process)

    def _watch_over(self) -> None:
        while not self._stopping.wait(0.5):
            for at, service in enumerate(self.services):
                code = service.process.poll()
                if code is not None and not self._stopping.is_set():
                    with self._lock:
                        self.exits[f"{service.name.split()[0]} ended with {code}"] += 1
                        self.services[at] = self._start(service.name, service.command)

    def upload(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Put files into the bucket; each again and again until the store takes it, as a patient client does."""
        with ThreadPoolExecutor(UPLOADERS) as pool:
            list(pool.map(lambda file: self._put_patiently(*file), files))

    def _put_patiently(self, key: str, data: bytes) -> None:
        while not self._stopping.is_set():
            try:
                self.inbox.put(key, data)
            except MerError:
                self._stopping.wait(0.5)
            else:
                break

    def drop_dataset(self, truth: Truth, dataset: str) -> None:
        """Frames first, the sheet last."""
        self.upload(file for clip in truth.clips_of(dataset) for file in clip.frame_files())
        self.upload([truth.sheet_of(dataset)])

    def drop_clip(self, clip: TrueClip) -> None:
        self.upload(clip.frame_files())

    def mer(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The `mer` command against this stack."""
        environment = {**os.environ, **self.environment, "COLUMNS": "300"}
        command = [sys.executable, "-m", "merstream", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    def close(self) -> None:
        self._stopping.set()
        self._guard.join()
        for service in self.services:
            service.process.kill()
            service.process.wait()
        self.store.kill()
        self.kafka.kill()
        self.disk.remove()
