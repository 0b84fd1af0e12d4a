"""Kafka and ClickHouse of the test's own, to be killed and started; and a proxy that loses answers."""

import random
import select
import socket
import struct
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from tests.processes import Broker, prepare, until

from outlay.embedded.clickhouse import WRITER, ClickHouse
from outlay.embedded.ports import free_port
from outlay_kit.migrator import migrate
from outlay_kit.settings import KafkaSettings, WarehouseSettings


class Engine:
    """A ClickHouse that may be killed."""

    def __init__(self, folder: Path) -> None:
        self._engine = ClickHouse(folder, free_port())
        self._argv = self._engine.prepare()
        self._log = folder / "engine.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> WarehouseSettings:
        password = SecretStr(self._engine.passwords()[WRITER])
        return WarehouseSettings(url=self._engine.url, user=WRITER, password=password)

    def start(self) -> "Engine":
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        until(self._engine.answers, 60, "ClickHouse")
        return self

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)


class Stores:
    """Both, with topics, tables and a catalog."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.broker = Broker(folder / "kafka").start()
        self.engine = Engine(folder / "clickhouse").start()
        prepare(self.broker.settings)
        migrate(self.engine.settings)

    @property
    def kafka(self) -> KafkaSettings:
        return self.broker.settings

    @property
    def warehouse(self) -> WarehouseSettings:
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
