"""Slow queries of the read-only user do not delay the services, and a query over a limit fails."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.support.chdb_server import READER, Server
from tests.support.system import Cli

from outlay.local.state import TENANT, local_keys
from outlay_kit.clock import SystemClock

pytestmark = pytest.mark.stack

# Runs until its time limit of 120 s on any machine, longer than a reader waits for a slot.
SLOW = """SELECT count() FROM numbers(4000000) AS a, numbers(1000000) AS b
WHERE cityHash64(a.number, b.number) % 1000003 = 1"""
CLIENTS = 40


@contextmanager
def slow_readers(url: str, user: tuple[str, str]) -> Iterator[None]:
    """Send slow queries from 40 clients until the block ends; queries under way end with the server."""
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(timeout=300) as client, suppress(httpx.HTTPError):
            while not over.is_set():
                client.post(url, content=SLOW, auth=user)

    for _ in range(CLIENTS):
        threading.Thread(target=ask, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def seconds_to_ledger(cli: Cli, count: int) -> list[float]:
    """Send events one at a time; return, sorted, how long each took from its sending to the ledger."""
    state = cli.state()
    writer = (state.writer, state.writer_password)
    ingest = f"{state.ingest}/v1/events"
    headers = {"Authorization": f"Bearer {local_keys(cli.home)[TENANT]}"}
    found = []
    for number in range(count):
        name = f"{time.monotonic_ns()}-{number}"
        event = {
            "id": name, "source": "latency", "time": SystemClock().now().isoformat(), "kind": "llm", "sku": "gpt-5",
            "usage": {"input_tokens": 1},
        }  # fmt: skip
        begun = time.monotonic()
        assert httpx.post(ingest, json=event, headers=headers, timeout=60).status_code == 202
        query = f"SELECT count() FROM outlay.ledger WHERE source = 'latency' AND id = '{name}'"  # noqa: S608
        while httpx.post(state.clickhouse, content=query, auth=writer, timeout=120).text != "1\n":
            assert time.monotonic() - begun < 90, "the event did not arrive"
            time.sleep(0.05)
        found.append(time.monotonic() - begun)
    return sorted(found)


@pytest.mark.timeout(900)
def test_forty_slow_queries_of_a_reader_do_not_delay_good_events(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    cli = Cli(tmp_path / "home")
    cli("up", "--ports", "auto")
    try:
        state = cli.state()
        idle = seconds_to_ledger(cli, 7)
        with slow_readers(state.clickhouse, (state.reader, state.reader_password)):
            time.sleep(5)
            busy = seconds_to_ledger(cli, 7)
            console = httpx.get(f"{state.console}/login", timeout=30)
        record_property("seconds_idle", f"median {idle[3]:.2f}, most {idle[-1]:.2f}")
        record_property("seconds_with_slow_readers", f"median {busy[3]:.2f}, most {busy[-1]:.2f}")
        assert console.status_code == 200
        assert busy[3] < 3 * idle[3] + 2
    finally:
        cli("down")


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT count() FROM numbers(100000000000)", "158"),  # rows to read
        ("SELECT length(groupArray(number)) FROM numbers(500000000)", "241"),  # memory
        ("SELECT number FROM numbers(6000000) FORMAT Null", "396"),  # rows of the answer
    ],
)
def test_a_readers_query_over_a_limit_fails_with_the_code_of_clickhouse(
    server: Server, sql: str, code: str
) -> None:
    assert server.ask(sql, READER).headers["x-clickhouse-exception-code"] == code
    assert server.ask("SELECT 1", READER).text == "1\n"


def test_a_readers_query_that_waits_too_long_for_a_slot_is_refused_and_the_writer_is_not(
    server: Server,
) -> None:
    with slow_readers(server.url, READER):
        time.sleep(2)
        begun = time.monotonic()
        assert server.ask("SELECT 1").text == "1\n"
        assert time.monotonic() - begun < 10
        refused = server.ask("SELECT 1", READER)
        assert (refused.status_code, refused.headers["x-clickhouse-exception-code"]) == (503, "202")
        assert "Too many simultaneous queries for user reader" in refused.text
