"""The unit of deploy/systemd runs a system that survives the death of its supervisor."""

import configparser
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.system import Cli, processes_of
from tests.support.waiting import until

from outlay.embedded.ports import free_port

pytestmark = pytest.mark.stack

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "outlay.service"
OUTLAY = Path(sys.executable).with_name("outlay")
PORTS = ("KAFKA", "KAFKA_CONTROLLER", "CLICKHOUSE", "INGEST", "CONSOLE", "ALERTER")


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT)
    return parser["Service"]


@contextmanager
def service(
    cli: Cli, folder: Path, ports: dict[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """Run the unit's ExecStart as systemd does, and wait until it reports that it is ready."""
    program, *arguments = shlex.split(unit()["ExecStart"])
    assert Path(program).name == "outlay"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        address = folder / "notify"
        address.unlink(missing_ok=True)
        notify.bind(str(address))
        notify.settimeout(180)
        env = {**cli.env, **ports, "NOTIFY_SOCKET": str(address)}
        process = subprocess.Popen([OUTLAY, *arguments], env=env, cwd="/", start_new_session=True)
        try:
            assert notify.recv(100) == b"READY=1"
            yield process, notify
        finally:
            process.kill()
            process.wait()


def test_a_killed_supervisor_is_started_again_by_the_unit_and_finds_its_data(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "home")
    ports = {f"OUTLAY_PORT_{name}": str(free_port()) for name in PORTS}
    with service(cli, tmp_path, ports) as (first, _):
        played = cli.json("demo", "--speed", "0", "--start", "2026-11-20T09:00:00Z")
        first.send_signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL  # Restart=on-failure: systemd starts it again
    assert unit()["Restart"] == "on-failure"
    until(lambda: not processes_of(cli.home), 15, "the end of every process")
    with service(cli, tmp_path, ports) as (second, notify):
        total = cli.json("query", "SELECT toString(sum(cost)) AS c FROM costs WHERE tenant = 'demo'")
        assert total == [{"c": played["ledger_cost"]}]
        second.send_signal(signal.SIGTERM)
        assert notify.recv(100) == b"STOPPING=1"
        assert second.wait(timeout=90) == 0  # no failure: systemd leaves it stopped
    until(lambda: not processes_of(cli.home), 15, "the end of every process")
