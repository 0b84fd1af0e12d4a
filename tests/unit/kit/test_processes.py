"""What only a process of its own can show: dying at a failpoint, ending when stuck, reporting its state."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest

from outlay.embedded.ports import free_port
from outlay_kit.clock import FakeClock
from outlay_kit.failpoints import failpoint
from outlay_kit.health import Health, serve_health
from outlay_kit.settings import HealthSettings


def run(code: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


THREE = """
from outlay_kit.failpoints import failpoint
for n in range(3):
    failpoint("after_ledger")
    print(n, flush=True)
"""


@pytest.mark.parametrize(
    ("armed", "printed"), [("after_ledger", 0), ("after_ledger:3", 2), ("after_poll", 3), ("", 3)]
)
def test_a_process_dies_at_the_failpoint_armed_and_nowhere_else(armed: str, printed: int) -> None:
    ended = run(THREE, OUTLAY_FAILPOINT=armed)
    assert len(ended.stdout.split()) == printed
    assert ended.returncode == (0 if printed == 3 else -signal.SIGKILL)


def test_a_failpoint_can_make_a_process_wait_each_time() -> None:
    timed = f"import time; start = time.monotonic()\n{THREE}\nassert time.monotonic() - start >= 0.6"
    assert run(timed, OUTLAY_FAILPOINT="after_ledger=sleep:0.2").returncode == 0


def test_a_failpoint_is_off_unless_armed() -> None:
    failpoint("after_poll")


STUCK = """
import time
from outlay_kit.clock import SystemClock
from outlay_kit.health import Health, Watchdog
health = Health(SystemClock(), 0.2)
health.watch(lambda: {pending})
Watchdog(health, SystemClock(), every=0.1).start()
time.sleep(1.5)
print("alive")
"""


def test_p14_the_watchdog_ends_a_process_that_is_stuck() -> None:
    ended = run(STUCK.format(pending=True))
    assert (ended.returncode, "alive" in ended.stdout) == (70, False)


def test_p14_the_watchdog_leaves_an_idle_process_alone() -> None:
    ended = run(STUCK.format(pending=False))
    assert (ended.returncode, ended.stdout.strip()) == (0, "alive")


def test_logs_are_one_json_object_a_line_with_the_service_and_of_libraries_too() -> None:
    ended = run(
        "import logging\n"
        "from outlay_kit.telemetry import configure_logging, get_logger\n"
        "configure_logging('pricer')\n"
        "get_logger('ours').info('done', events=3)\n"
        "logging.getLogger('theirs').warning('careful')\n"
        "logging.getLogger('kafka').info('chatter')\n"
        "try:\n    1/0\nexcept ZeroDivisionError:\n    get_logger('ours').exception('oh')\n"
    )
    ours, theirs, oh = [json.loads(line) for line in ended.stdout.splitlines()]
    assert (ours["event"], ours["events"], ours["service"], ours["logger"]) == ("done", 3, "pricer", "ours")
    assert (theirs["event"], theirs["level"], theirs["service"]) == ("careful", "warning", "pricer")
    assert "ZeroDivisionError" in oh["exception"]


def ask(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_health_is_reported_over_http() -> None:
    clock = FakeClock(datetime(2026, 11, 24, tzinfo=UTC))
    health = Health(clock, 60)
    health.watch(lambda: True)
    port = free_port()
    serve_health(health, HealthSettings(port=port))
    assert [ask(port, path) for path in ("/livez", "/readyz", "/metrics", "/other")] == [200, 503, 200, 404]
    health.ready = True
    assert ask(port, "/readyz") == 200
    clock.advance(61)
    assert [ask(port, path) for path in ("/livez", "/readyz")] == [503, 503]
    health.progress()
    assert ask(port, "/livez") == 200
