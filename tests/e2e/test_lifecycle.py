"""However the system ends, nothing of it is left running, and its data is there the next time."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.system import Cli, processes_of
from tests.support.waiting import until

from outlay.local.state import running

pytestmark = pytest.mark.stack


def test_kill_9_of_the_parent_leaves_no_orphan_and_loses_nothing(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "home")
    cli("up", "--ports", "auto")
    played = cli.json("demo", "--speed", "0", "--start", "2026-11-20T09:00:00Z")
    os.kill(cli.state().pid, signal.SIGKILL)
    until(lambda: not processes_of(cli.home), 10, "the end of every process")
    assert "nothing is running" in cli("status", status=1)
    assert "nothing was running" in cli("down")
    cli("up", "--ports", "auto")
    total = cli.json("query", "SELECT toString(sum(cost)) AS c FROM costs WHERE tenant = 'demo'")
    assert total == [{"c": played["ledger_cost"]}]
    cli("down")
    until(lambda: not processes_of(cli.home), 10, "the end of every process")


def test_ctrl_c_ends_the_demonstration_in_order(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "home")
    demo = subprocess.Popen(
        [sys.executable, "-m", "outlay", "demo", "--speed", "1"],
        env=cli.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(lambda: running(cli.home) or demo.poll() is not None, 90, "the start")
    time.sleep(1)
    demo.send_signal(signal.SIGINT)
    output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, output
    assert "Traceback" not in output
    until(lambda: not processes_of(cli.home), 10, "the end of every process")
