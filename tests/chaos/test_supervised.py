"""A system as users run it: Kafka alone is killed and started again; a machine with too much to do restarts nothing."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from tests.support.chaos.rig import Sender, make
from tests.support.promises import Tally
from tests.support.system import Cli, RunningIngest
from tests.support.waiting import until

from outlay_schemas.events import encoder

pytestmark = [pytest.mark.stack, pytest.mark.chaos]

BUSY_SECONDS = float(os.environ.get("OUTLAY_CHAOS_BUSY", "120"))
"""How long the machine has too much to do."""
BUSY_PROCESSES = 20
"""For each core; on two cores that is a load of 40."""


@pytest.mark.timeout(600)
def test_p10_kafka_alone_is_killed_under_load_and_its_supervisor_starts_it_again(
    tmp_path: Path, tally: Tally
) -> None:
    cli = Cli(tmp_path / "home")
    cli("up", "--ports", "auto")
    key = cli.json("keys", "create", "--tenant", "killed", "--scope", "ingest")["key"]
    events = make(6000, seed=31)
    sender = Sender(RunningIngest(cli.state().ingest, key), events, rate=150)
    lives = 3
    for life in range(lives):
        until(lambda n=life: sender.accepted > n * 1500 + 500, 120, "events accepted")  # type: ignore[misc]
        os.kill(_pid(cli), signal.SIGKILL)
        until(lambda: psutil.pid_exists(_pid(cli)), 60, "another life of Kafka")
    until(sender.done, 240, "everything sent")
    found = cli.json("audit", "--tenant", "killed", "--patience", "60")
    [balance] = [b for b in found["accepted_events"]["tenants"] if b["tenant"] == "killed"]
    lost = len(events) - sum(p["events"] for p in found["periods"] if p["tenant"] == "killed")
    tally("P10", "kafka killed alone under load, started by its supervisor", len(events), lives, lost)
    assert found["balanced"] is True
    assert (balance["missing"], lost) == (0, 0)
    assert sender.refused > 0 or sender.failed == 0
    cli("down")


def _pid(cli: Cli) -> int:
    return next(process.pid for process in cli.state().processes if process.name == "kafka")


@contextlib.contextmanager
def _busy(processes: int) -> Iterator[None]:
    """Let so many processes want the processors all the time."""
    spinning = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


@pytest.mark.timeout(BUSY_SECONDS + 1500)
def test_p14_a_machine_with_far_too_much_to_do_restarts_nothing(tmp_path: Path, tally: Tally) -> None:
    """Events come all the time; the watchdogs must tell a process that waits for its turn from one that is stuck."""
    cores = len(os.sched_getaffinity(0))
    cli = Cli(tmp_path / "home")
    cli("up", "--ports", "auto")
    key = cli.json("keys", "create", "--tenant", "busy", "--scope", "ingest")["key"]
    ingest = RunningIngest(cli.state().ingest, key)
    headers = {"X-API-Key": key, "Content-Type": "application/x-ndjson"}
    accepted = 0
    with _busy(BUSY_PROCESSES * cores), httpx.Client(headers=headers, timeout=120) as client:
        end = time.monotonic() + BUSY_SECONDS
        while time.monotonic() < end:
            events = make(100, source=f"batch-{accepted}")
            answer = client.post(ingest.url, content=b"\n".join(encoder.encode(event) for event in events))
            assert answer.status_code == 202, answer.text
            accepted += len(events)
            time.sleep(5)
        restarts = {process.name: process.restarts for process in cli.state().processes}
    found = cli.json("audit", "--tenant", "busy", "--patience", "240")
    lost = accepted - sum(p["events"] for p in found["periods"] if p["tenant"] == "busy")
    what = f"{BUSY_PROCESSES} busy processes a core for {BUSY_SECONDS:.0f} s"
    tally("P14", what, accepted, sum(restarts.values()), lost)
    assert not any(restarts.values()), restarts
    assert lost == 0
    cli("down")
