"""A real Kafka broker for tests: one KRaft node on free ports, in a container where a Docker engine runs, else from the
jars on Maven Central.

A broker that runs already is used instead when MERSTREAM_TEST_KAFKA names its bootstrap servers.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path

from tests.servers import docker
from tests.servers import process as processes
from tests.servers.process import DIE_WITH_PARENT, ServerMissing, free_port

VERSION = "4.1.1"
CACHE = processes.CACHE / f"kafka-{VERSION}"
PATIENCE_SECONDS = 300
# A small heap and the quick compiler: tests start it often and ask little of it.
JAVA = [
    "java",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
]
# Java in a container; when whoever started it is gone, its standard input ends, and so does Java.
IN_CONTAINER = """
exec 3<&0; java "$@" </dev/null & java=$!
trap "kill $java" TERM; (cat >/dev/null; kill -9 $java) <&3 &
wait $java; code=$?; [ $code -lt 128 ] && exit $code; wait $java
"""


def jars() -> Path:
    """The folder of the server's jars, fetched on first use. Raises ServerMissing."""
    if not shutil.which("java"):
        raise ServerMissing("No `java` on this machine: install a JDK 17 or name a broker in MERSTREAM_TEST_KAFKA.")
    if not CACHE.exists():
        _fetch()
    return CACHE


def _fetch() -> None:
    if not shutil.which("mvn"):
        raise ServerMissing(
            "No `mvn` on this machine to fetch Kafka with: install maven or name a broker in MERSTREAM_TEST_KAFKA."
        )
    aside = CACHE.with_name(f"{CACHE.name}.{uuid.uuid4().hex}")
    pom = Path(__file__).with_name("kafka-pom.xml")
    target = [f"-DoutputDirectory={aside}", f"-Dkafka.version={VERSION}"]
    fetched = subprocess.run(
        ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", *target], capture_output=True, text=True
    )
    if fetched.returncode != 0:
        shutil.rmtree(aside, ignore_errors=True)
        raise ServerMissing(f"Maven could not fetch Kafka {VERSION}: {fetched.stdout.strip()[-300:]}")
    try:
        aside.rename(CACHE)  # whole or not at all, also when two runs fetch at once
    except OSError:
        shutil.rmtree(aside)


class KafkaServer:
    """One broker with its own folder; `bootstrap` stays the same over restarts.

    `extra` lines of its configuration win over the common ones.
    """

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.folder = folder
        self.port, self.controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self._image = docker.usable("KAFKA_IMAGE")
        self._container = f"mer-test-kafka-{uuid.uuid4().hex[:12]}"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "server.properties").write_text(self._properties() + extra)
        self._java(
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={_cluster_id()}",
            "-c",
            str(folder / "server.properties"),
        )

    def start(self) -> None:
        """Returns when the broker answers."""
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command("kafka.Kafka", str(self.folder / "server.properties")),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=DIE_WITH_PARENT,
            )
        self._wait_until_it_answers()

    def start_if_down(self) -> None:
        if self._process is None or self._process.poll() is not None:
            self.start()

    def stop(self) -> None:
        """In an orderly way."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As by a power cut."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        self.kill()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            if self._image:
                subprocess.run(["docker", "kill", f"--signal={how.value}", self._container], capture_output=True)
            else:
                self._process.send_signal(how)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            assert self._process.stdin
            self._process.stdin.close()
        self._process = None

    def _command(self, *arguments: str) -> list[str]:
        if not self._image:
            return [*JAVA, "-cp", f"{jars()}/*", *arguments]
        # The host's network and the folder under its own name: all is as it is without a container.
        run = ["docker", "run", "--rm", "--interactive", "--network=host", f"--name={self._container}"]
        run += [f"--user={os.getuid()}:{os.getgid()}", f"--volume={self.folder}:{self.folder}", "--entrypoint=sh"]
        return [*run, self._image, "-c", IN_CONTAINER, *JAVA, "-cp", "/opt/kafka/libs/*", *arguments]

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Kafka did not start:\n{(self.folder / 'server.log').read_text()[-3000:]}")
            time.sleep(0.2)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        return answers(self.bootstrap)

    def _java(self, *arguments: str) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen(self._command(*arguments), text=True, **pipes) as process:
            assert process.stdout
            said = process.stdout.read()
        if process.returncode != 0:
            raise RuntimeError(f"{arguments[0]} failed:\n{said}")

    def _properties(self) -> str:
        listeners = {"PLAINTEXT": self.port, "CONTROLLER": self.controller}
        replication = ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")
        return "\n".join(
            [
                "process.roles=broker,controller",
                "node.id=1",
                f"controller.quorum.voters=1@127.0.0.1:{self.controller}",
                "controller.listener.names=CONTROLLER",
                "listeners=" + ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
                f"log.dirs={self.folder / 'data'}",
                *(f"{topic}.replication.factor=1" for topic in replication),
                "transaction.state.log.min.isr=1",
                "share.coordinator.state.topic.min.isr=1",
                "offsets.topic.num.partitions=4",
                "group.initial.rebalance.delay.ms=0",
                "group.min.session.timeout.ms=1000",
                "auto.create.topics.enable=false",
                "broker.heartbeat.interval.ms=500",
                "broker.session.timeout.ms=3000",
                "num.network.threads=2",
                "num.io.threads=2",
                "",
            ]
        )


def answers(bootstrap: str) -> bool:
    """Whether a broker there tells of its cluster."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        client = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=5000, request_timeout_ms=5000)
    except (KafkaError, OSError):
        return False
    try:
        return bool(client.describe_cluster()["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        client.close()


def external() -> str | None:
    """The bootstrap servers of a broker that was given by the environment."""
    return os.environ.get("MERSTREAM_TEST_KAFKA") or None


def _cluster_id() -> str:
    """A new one. It may begin with a dash, so it is no argument of its own."""
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
