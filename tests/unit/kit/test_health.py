"""The watchdog counts silence by the CPU time that the machine gives: starved is not stalled, stuck is found."""

import asyncio
import os
import socket
import threading
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from outlay.embedded.ports import free_port
from outlay_kit.clock import FakeClock, cpu_share
from outlay_kit.health import Health, Watchdog, forever, repeat, serve_health
from outlay_kit.settings import HealthSettings


class Desk:
    """A process with work that makes no progress, on a machine that gives `share` of a core."""

    def __init__(self, share: float) -> None:
        self.clock = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))
        self.health = Health(self.clock, 60)
        self.health.watch(lambda: True)
        self.probes = 0
        self.share = share
        self.watchdog = Watchdog(self.health, self.clock, 5, self.measure)

    def measure(self) -> float:
        self.probes += 1
        return self.share

    def seconds_to_a_stall(self, most: int = 3600, step: float = 5) -> float:
        began = self.clock.monotonic()
        while self.clock.monotonic() - began < most:
            self.clock.advance(step)
            if self.watchdog.look():
                return self.clock.monotonic() - began
        return float("inf")


def test_a_stuck_process_on_an_idle_machine_is_found_in_the_stall_seconds() -> None:
    assert Desk(1.0).seconds_to_a_stall() == 60


@pytest.mark.parametrize(("share", "seconds"), [(0.5, 105), (0.05, 600), (0.001, 600)])
def test_a_stall_on_a_starved_machine_takes_longer_and_is_bounded(share: float, seconds: float) -> None:
    assert Desk(share).seconds_to_a_stall() == pytest.approx(seconds, abs=20)


def test_a_starved_process_that_works_is_not_a_stall() -> None:
    desk = Desk(0.05)
    for _ in range(20):
        assert desk.seconds_to_a_stall(most=300) == float("inf")
        desk.health.progress()


def test_progress_starts_the_count_again() -> None:
    desk = Desk(0.05)
    desk.seconds_to_a_stall(most=300)
    desk.share = 1.0
    desk.health.progress()
    assert desk.seconds_to_a_stall() == 60


def test_a_process_that_was_frozen_is_not_a_stall() -> None:
    desk = Desk(1.0)
    desk.clock.advance(500)
    assert not desk.watchdog.look()
    assert desk.seconds_to_a_stall() == pytest.approx(50, abs=5)


def test_a_process_without_work_is_not_probed_and_its_rest_is_no_stall() -> None:
    desk, works = Desk(0.05), [False]
    desk.health.watch(lambda: works[0])
    assert desk.seconds_to_a_stall(most=300) == float("inf")
    assert desk.probes == 0
    works[0] = True
    assert desk.seconds_to_a_stall() == pytest.approx(600, abs=25)  # as if it had just begun


def test_a_process_that_makes_progress_is_not_probed() -> None:
    desk = Desk(1.0)
    for _ in range(100):
        desk.health.progress()
        desk.seconds_to_a_stall(most=10)
    assert desk.probes == 0


def test_a_machine_gives_a_share_of_a_core() -> None:
    assert 0 < cpu_share() <= 1


def test_a_client_that_sends_nothing_keeps_no_probe_waiting() -> None:
    port = free_port()
    health = Health(FakeClock(datetime(2026, 11, 24, tzinfo=UTC)), 60)
    health.ready = True
    serve_health(health, HealthSettings(host="127.0.0.1", port=port))
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
    idle[0].sendall(b"GET /readyz HTTP/1.1\r\nX:")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
        assert answer.status == 200
    for one in idle:
        one.close()


@pytest.mark.parametrize(
    "module",
    ["ingest/outlay_ingest/main", "console/outlay_console/main", "alerter/outlay_alerter/http_server"],
)
def test_every_server_that_people_reach_bounds_heads_and_bodies(module: str) -> None:
    source = (Path(__file__).parents[3] / "services" / f"{module}.py").read_text("utf-8")
    assert (
        source.count("http=GuardedProtocol")
        == source.count("uvicorn.run(") + source.count("uvicorn.Config(")
        == 1
    )


async def test_what_runs_for_ever_ends_the_process_if_it_fails_and_not_when_it_is_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError("a time of 0")

    async def waits() -> None:
        await asyncio.sleep(60)

    waiting, failing = forever(waits(), "waits"), forever(fails(), "fails")
    await asyncio.wait([failing])
    waiting.cancel()
    await asyncio.wait([waiting])
    await asyncio.sleep(0)
    assert codes == [70]


def test_work_that_is_repeated_ends_the_process_if_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, codes = threading.Event(), list[int]()

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    monkeypatch.setattr(os, "_exit", end)
    repeat(lambda: 1 // 0, 0.001, "divides")
    assert ended.wait(10)
    assert codes == [70]
