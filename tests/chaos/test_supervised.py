"""Kafka alone is killed under load, in a system as users run it, and started again by its supervisor."""

import os
import signal
from pathlib import Path

import psutil
import pytest
from tests.support.chaos.rig import Sender, make
from tests.support.processes import until
from tests.support.promises import Tally
from tests.support.system import Cli, RunningIngest

pytestmark = [pytest.mark.stack, pytest.mark.chaos]


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
    [balance] = [b for b in found["conservation"]["tenants"] if b["tenant"] == "killed"]
    lost = len(events) - sum(p["events"] for p in found["periods"] if p["tenant"] == "killed")
    tally("P10", "kafka killed alone under load, started by its supervisor", len(events), lives, lost)
    assert found["balanced"] is True
    assert (balance["missing"], lost) == (0, 0)
    assert sender.refused > 0 or sender.failed == 0
    cli("down")


def _pid(cli: Cli) -> int:
    return next(process.pid for process in cli.state().processes if process.name == "kafka")
