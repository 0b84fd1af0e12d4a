"""Kafka and ClickHouse of the test's own, to be killed and started; and a proxy that loses answers."""

import json
import random
import select
import socket
import struct
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from tests.support.processes import Broker, prepare
from tests.support.waiting import until

from outlay.embedded.clickhouse import WRITER, ClickHouse
from outlay.embedded.kafka import KafkaBroker
from outlay.embedded.ports import free_port
from outlay_kit.errors import Retryable
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_kit.topics import admin


class Engine:
    """A ClickHouse that may be killed."""

    def __init__(self, folder: Path) -> None:
        self._engine = ClickHouse(folder, free_port())
        self._argv = self._engine.prepare()
        self._log = folder / "engine.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> ClickHouseSettings:
        password = SecretStr(self._engine.passwords()[WRITER])
        return ClickHouseSettings(url=self._engine.url, user=WRITER, password=password)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> "Engine":
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        until(self._engine.answers, 60, "ClickHouse")
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)


class Cluster:
    """Three brokers that keep three copies of each record; two must have it before it counts as written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        ports = [(free_port(), free_port()) for _ in range(3)]
        voters = ",".join(f"{n}@127.0.0.1:{controller}" for n, (_, controller) in enumerate(ports, 1))
        self.members = {
            n: Broker(
                folder / str(n),
                KafkaBroker(
                    folder / str(n),
                    port,
                    controller,
                    {
                        "node.id": n,
                        "controller.quorum.voters": voters,
                        "default.replication.factor": 3,
                        "min.insync.replicas": 2,
                        "offsets.topic.replication.factor": 3,
                        "replica.lag.time.max.ms": 5000,
                        "broker.session.timeout.ms": 5000,
                        "metadata.max.idle.interval.ms": 500,
                    },
                ),
            )
            for n, (port, controller) in enumerate(ports, 1)
        }

    @property
    def settings(self) -> KafkaSettings:
        return KafkaSettings(bootstrap=",".join(m.settings.bootstrap for m in self.members.values()))

    def start(self) -> "Cluster":
        for member in self.members.values():
            member.launch()
        for number in self.members:
            self.wait_for(number)
        return self

    def wait_for(self, number: int) -> None:
        """Wait until a member answers and every partition has all of its copies in sync."""
        until(self.members[number].answers, 90, f"broker {number}")
        until(lambda: not self.out_of_sync(), 90, "all copies in sync")

    def out_of_sync(self) -> int:
        """How many partitions have fewer copies in sync than they should; 1 while unknown."""
        try:
            with admin(self.settings) as client:
                parts = [part for topic in client.describe_topics() for part in topic["partitions"]]
        except Retryable:
            return 1
        return sum(len(part["isr_nodes"]) < len(part["replica_nodes"]) for part in parts)

    def controller(self) -> int:
        """The member that leads the others, by the newest of what the members have on disk.

        Kafka's metadata answer names any member: every broker passes requests on to the controller.
        """
        states = [
            json.loads(path.read_text())
            for path in self._folder.glob("*/data/__cluster_metadata-0/quorum-state")
        ]
        return int(max(states, key=lambda state: int(state["leaderEpoch"]))["leaderId"])

    def kill(self) -> None:
        for member in self.members.values():
            member.kill()


class Stores:
    """Both, with topics, tables and a catalog."""

    def __init__(self, folder: Path, broker: "Broker | Cluster | None" = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.broker = (broker or Broker(folder / "kafka")).start()
        self.engine = Engine(folder / "clickhouse").start()
        prepare(self.broker.settings)
        migrate(self.engine.settings)

    @property
    def kafka(self) -> KafkaSettings:
        return self.broker.settings

    @property
    def writer(self) -> ClickHouseSettings:
        return self.engine.settings

    def stop(self) -> None:
        self.broker.kill()
        self.engine.kill()


class Thief:
    """A proxy that lets an INSERT through, and then resets the connection instead of answering it."""

    def __init__(self, url: str, share: float) -> None:
        self._to = (urlsplit(url).hostname, urlsplit(url).port)
        self._share = share
        self._random = random.Random(7)  # noqa: S311 (a test's dice)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.stolen = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = socket.create_connection(self._to)
        inserting = False
        with client, server:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    try:
                        data = ready.recv(1 << 16)
                    except OSError:
                        return
                    if not data:
                        return
                    if ready is client:
                        inserting = inserting or b"INSERT" in data
                        server.sendall(data)
                    elif inserting and self._random.random() < self._share:
                        self.stolen += 1
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                        return
                    else:
                        inserting = False
                        client.sendall(data)
