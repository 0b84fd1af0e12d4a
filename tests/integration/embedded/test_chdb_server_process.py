"""The interface as a process: ended, killed, on a disk that is full."""

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.chdb_server import Server, command

from outlay.embedded.ports import free_port

pytestmark = pytest.mark.stack

TABLE = "CREATE TABLE IF NOT EXISTS kept (n UInt64) ENGINE = MergeTree ORDER BY n"


@contextmanager
def process(
    folder: Path, *options: str, file_bytes: int = -1
) -> Iterator[tuple[Server, subprocess.Popen[bytes]]]:
    """Run the interface; no file of it may grow past `file_bytes`."""
    server = Server(free_port())

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

    # A compiled module that is cut at the limit would be kept, and break whoever imports it next.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    running = subprocess.Popen(command(folder, server.port, *options), preexec_fn=limit, env=env)  # noqa: PLW1509
    try:
        while not server.answers():
            assert running.poll() is None, "it ended while it was starting"
            time.sleep(0.05)
        yield server, running
    finally:
        running.kill()
        running.wait(10)


def test_on_sigterm_it_finishes_what_it_can_and_ends_the_rest(tmp_path: Path) -> None:
    codes: list[str] = []

    def ask(sql: str) -> None:
        codes.append(server.ask(sql).headers.get("x-clickhouse-exception-code", "none"))

    with process(tmp_path) as (server, running):
        server.ask(TABLE)
        server.ask("INSERT INTO kept VALUES (1)")
        short = threading.Thread(target=ask, args=("SELECT sleep(1.5)",))
        endless = threading.Thread(
            target=ask, args=("SELECT sum(cityHash64(number)) FROM numbers(1000000000000)",)
        )
        short.start()
        endless.start()
        time.sleep(0.5)
        running.send_signal(signal.SIGTERM)
        assert running.wait(15) == 0
        short.join()
        endless.join()
    assert sorted(codes) == ["394", "none"]


def test_what_was_inserted_outlives_a_kill(tmp_path: Path) -> None:
    with process(tmp_path) as (server, running):
        server.ask(TABLE)
        assert server.ask("INSERT INTO kept SELECT number FROM numbers(1000)").status_code == 200
        running.kill()
        running.wait(10)
    with process(tmp_path, "--query-memory", str(100 * 2**20)) as (server, _):
        assert server.ask("SELECT count() FROM kept").text == "1000\n"
        # A query over the memory limit fails alone.
        large = server.ask("SELECT length(groupArray(number)) FROM numbers(100000000)")
        assert large.headers["x-clickhouse-exception-code"] == "241"
        assert server.ask("SELECT 1").text == "1\n"


def test_a_full_disk_refuses_inserts_and_goes_on_reading(tmp_path: Path) -> None:
    with process(tmp_path, "--keep-free", str(2**60)) as (server, _):
        server.ask(TABLE)
        for sql in ("INSERT INTO kept VALUES (2)", 'INSERT INTO kept FORMAT JSONEachRow {"n": 2}'):
            refused = server.ask(sql)
            assert refused.headers["x-clickhouse-exception-code"] == "243"
            assert "NOT_ENOUGH_SPACE" in refused.text
        assert server.ask("SELECT count() FROM kept").text == "0\n"


def test_a_body_that_cannot_be_kept_is_refused(tmp_path: Path) -> None:
    with process(tmp_path, file_bytes=2**20) as (server, running):
        server.ask(TABLE)
        body = b"INSERT INTO kept FORMAT JSONEachRow " + b'{"n": 1}\n' * 3_000_000
        large = server.ask(body)
        assert (large.status_code, large.headers["x-clickhouse-exception-code"]) == (500, "243")
        assert running.poll() is None


def test_one_folder_has_one_engine(tmp_path: Path) -> None:
    with process(tmp_path) as (server, _):
        second = subprocess.run(
            command(tmp_path, free_port()), capture_output=True, text=True, timeout=60, check=False
        )
        assert second.returncode != 0
        assert server.ask("SELECT 1").text == "1\n"
