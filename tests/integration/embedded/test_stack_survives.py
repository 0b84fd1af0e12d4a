"""One stack in a process of its own: a store is killed, then the parent, then it is started again and ended."""

import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import httpx
import psutil
import pytest
from tests.support.waiting import until

from outlay.embedded.lock import holder
from outlay_kit.kafka import KafkaSink, KafkaSource, deliver
from outlay_kit.settings import KafkaSettings
from outlay_kit.topics import create_topics
from outlay_schemas.topics import ALERTS

pytestmark = pytest.mark.stack

PARENT = """
import json, pathlib, signal, sys
from outlay.embedded.stack import EmbeddedStack
from outlay_kit.clock import SystemClock

class Tell:
    def step(self, text): print(json.dumps({"step": text}), flush=True)
    def bytes(self, done, total): pass

with EmbeddedStack(pathlib.Path(sys.argv[1]), SystemClock(), None, Tell()) as stack:
    reach = {"url": stack.writer.url, "user": stack.writer.user, "kafka": stack.kafka.bootstrap}
    password = stack.writer.password.get_secret_value()
    print(json.dumps({**reach, "password": password, "pids": stack.supervisor.pids()}), flush=True)
    try:
        signal.pause()
    except KeyboardInterrupt:
        pass
"""


class Parent:
    """The process that holds the stack."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", PARENT, str(home)], stdout=subprocess.PIPE)
        assert self.process.stdout
        self.steps: list[str] = []
        for line in self.process.stdout:
            said = json.loads(line)
            if "pids" in said:
                break
            self.steps.append(said["step"])
        else:
            pytest.fail(f"it ended while it was starting, after {self.steps}")
        self.url: str = said["url"]
        self.auth: tuple[str, str] = said["user"], said["password"]
        self.kafka = KafkaSettings(bootstrap=said["kafka"])
        self.pids: dict[str, int] = said["pids"]

    def everybody(self) -> set[int]:
        return {process.pid for process in psutil.Process(self.process.pid).children(recursive=True)}

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        status = self.process.wait(40)
        assert self.process.stdout
        self.process.stdout.close()
        return status

    def ask(self, sql: str) -> str:
        try:
            return httpx.post(self.url, content=sql, auth=self.auth, timeout=30).text
        except httpx.TransportError:
            return "away"


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_stores_and_parent_may_be_killed_and_everything_goes_on(tmp_path: Path) -> None:
    first = Parent(tmp_path)
    try:
        first.ask("CREATE TABLE kept (n UInt64) ENGINE = MergeTree ORDER BY n")
        assert first.ask("INSERT INTO kept VALUES (1)") == ""
        create_topics(first.kafka, [ALERTS])
        sink = KafkaSink(first.kafka)
        deliver(sink, ALERTS.name, [b"kept"])
        sink.close()

        os.kill(first.pids["clickhouse"], signal.SIGKILL)
        until(lambda: first.ask("SELECT sum(n) FROM kept") == "1\n", 60, "the store back")
        everybody = first.everybody()
        assert len(everybody) >= 3  # Kafka, ClickHouse, the orphan reaper
    finally:
        first.end(signal.SIGKILL)
    until(lambda: all(gone(pid) for pid in everybody), 10, "the end of everybody")
    assert holder(tmp_path) is None

    second = Parent(tmp_path)
    try:
        assert "the last stack here was killed; going on from its data" in second.steps
        assert second.ask("SELECT sum(n) FROM kept") == "1\n"
        source = KafkaSource(second.kafka, f"survivor-{uuid.uuid4().hex}", [ALERTS.name])
        found: list[bytes] = []

        def more() -> bool:
            found.extend(record.value for record in source.poll(0.1).records)
            return bool(found)

        until(more, 60)
        source.close()
        assert found == [b"kept"]
        everybody = second.everybody()
    finally:
        status = second.end(signal.SIGINT)
    assert status == 0
    until(lambda: all(gone(pid) for pid in everybody), 10)
    assert (tmp_path / "lock").read_text() == ""
    assert not (tmp_path / "endpoints.json").exists()
