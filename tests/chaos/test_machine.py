"""What a machine does to all at once: power cuts, freezes, too few files, too little memory, a clock that is set.

After each the totals are those of the oracle. A process that ends itself is started again, as a supervisor does.
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from tests.support.chaos.rig import Pipeline, Sender, make
from tests.support.chaos.stores import Stores
from tests.support.promises import Tally
from tests.support.system import Cli, RunningIngest
from tests.support.waiting import until

pytestmark = [pytest.mark.stack, pytest.mark.chaos, pytest.mark.timeout(1800)]

EVENTS = int(os.environ.get("OUTLAY_CHAOS_MACHINE_EVENTS", "12000"))
SLEEPS = Path(__file__).parents[1] / "support/chaos/faketime"
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def _under_load(
    pipeline: Pipeline, tally: Tally, promise: str, what: str, disturb: Callable[[Pipeline], None]
) -> None:
    """Disturb a pipeline three times while events come in, start again what ended, and compare with the oracle."""
    events = make(EVENTS, seed=len(what))
    sender = Sender(pipeline.ingest, events, rate=EVENTS / 60)
    for round_ in range(3):
        until(lambda n=round_: sender.accepted > n * EVENTS // 4, 240, "events accepted")  # type: ignore[misc]
        disturb(pipeline)
        _start_what_ended(pipeline)
    until(lambda: _alive(pipeline) and sender.done(), 300, "everything sent")
    pipeline.settle(300, meanwhile=lambda: _start_what_ended(pipeline))
    wrong = pipeline.mismatches(events)
    tally(promise, what, len(events), pipeline.kills, wrong)
    assert wrong == 0


def _alive(pipeline: Pipeline) -> bool:
    _start_what_ended(pipeline)
    return True


def _start_what_ended(pipeline: Pipeline) -> None:
    for service in pipeline.services:
        if service.ended():
            pipeline.kills += 1
            service.start()


def test_p1_a_power_cut_of_everything_under_load(pipeline: Pipeline, tally: Tally) -> None:
    """SIGKILL to all at once; the page cache is the kernel's, and stays."""

    def cut(pipeline: Pipeline) -> None:
        stores = pipeline.stores
        pids = [service.running.pid for service in pipeline.services]
        for pid in (*pids, stores.broker.pid, stores.engine.pid):  # type: ignore[union-attr]
            os.kill(pid, signal.SIGKILL)
        pipeline.kills += 2
        for part in (*pipeline.services, stores.broker, stores.engine):
            part.kill()
        stores.broker.start()
        stores.engine.start()

    _under_load(pipeline, tally, "P1", "power cut: all killed at once, three times", cut)


def test_p10_each_process_frozen_in_turn(pipeline: Pipeline, tally: Tally) -> None:
    dice = random.Random(10)  # noqa: S311 (a test's dice)

    def freeze(pipeline: Pipeline) -> None:
        stores = pipeline.stores
        for pid in (
            *(service.running.pid for service in pipeline.services),
            stores.broker.pid,  # type: ignore[union-attr]
            stores.engine.pid,
        ):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(dice.uniform(5, 30 if pid == stores.engine.pid else 10))
            os.kill(pid, signal.SIGCONT)
            _start_what_ended(pipeline)

    _under_load(pipeline, tally, "P10", "each process frozen for 5 to 30 s, three times", freeze)


@contextlib.contextmanager
def _limited(pipeline: Pipeline, kind: int, limit: Callable[[psutil.Process], int]) -> Iterator[None]:
    """Lower a limit of every service that runs for a while."""
    before = {}
    for service in pipeline.services:
        pid = service.running.pid
        before[pid] = resource.prlimit(pid, kind)
        resource.prlimit(pid, kind, (limit(psutil.Process(pid)), before[pid][1]))
    yield
    for pid, limits in before.items():
        with contextlib.suppress(ProcessLookupError):  # it ended, and will be started without a limit
            resource.prlimit(pid, kind, limits)


def test_p10_no_file_can_be_opened_while_the_stores_come_back(pipeline: Pipeline, tally: Tally) -> None:
    def exhaust(pipeline: Pipeline) -> None:
        with _limited(pipeline, resource.RLIMIT_NOFILE, lambda _: 3):
            for store in (pipeline.stores.broker, pipeline.stores.engine):
                store.kill()
                store.start()
            time.sleep(10)

    _under_load(pipeline, tally, "P10", "no file descriptor left, stores restarted, three times", exhaust)


def test_p10_no_memory_is_left_for_the_services(pipeline: Pipeline, tally: Tally) -> None:
    def exhaust(pipeline: Pipeline) -> None:
        with _limited(pipeline, resource.RLIMIT_AS, lambda process: process.memory_info().vms + 2**20):
            time.sleep(15)

    _under_load(pipeline, tally, "P10", "no memory to be had for 15 s, three times", exhaust)


def test_p4_a_clock_that_is_set_back_and_forth(stores: Stores, tmp_path: Path, tally: Tally) -> None:
    """All services see the clock of libfaketime, which is set while they run: two hours ahead, and back."""
    if FAKETIME is None:
        pytest.skip("libfaketime is not installed; Debian, Ubuntu: apt install faketime")
    set_to = tmp_path / "clock"
    set_to.write_text("+0")
    pipeline = Pipeline(stores, tmp_path / "run")
    clock = {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(set_to),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "PYTHONPATH": str(SLEEPS),
    }
    for service in pipeline.services:
        service.env = {**service.env, **clock}
    pipeline.start()

    def step(_: Pipeline) -> None:
        for offset in ("+7200", "-600", "+0"):
            set_to.write_text(offset)
            time.sleep(5)

    _under_load(pipeline, tally, "P4", "clock of all services 2 h ahead, 10 min back, three times", step)


def test_p10_a_disk_that_is_full_for_a_while_under_load(tmp_path: Path, tally: Tally) -> None:
    """The folder of a running system is on a disk of its own, which another program fills."""
    home = tmp_path / "home"
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2g", "outlay-chaos", str(home)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("no disk can be mounted here: it needs root")
    cli = Cli(home)
    try:
        cli("up", "--ports", "auto")
        key = cli.json("keys", "create", "--tenant", "full", "--scope", "ingest")["key"]
        events = make(EVENTS // 2, seed=41)
        sender = Sender(RunningIngest(cli.state().ingest, key), events, rate=EVENTS / 120)
        for round_ in range(2):
            until(lambda n=round_: sender.accepted > (n + 1) * 1000, 240, "events accepted")  # type: ignore[misc]
            ballast = home / "ballast"
            with ballast.open("wb") as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(2**20))
            time.sleep(20)
            ballast.unlink(missing_ok=True)
        until(sender.done, 300, "everything sent")
        found = cli.json("audit", "--tenant", "full", "--patience", "120")
        lost = len(events) - sum(p["events"] for p in found["periods"] if p["tenant"] == "full")
        tally("P10", "the disk of all full for 20 s, twice", len(events), 0, lost)
        assert found["balanced"] is True
        assert lost == 0
        cli("down")
    finally:
        cli.kill()
        subprocess.run(["umount", "-l", str(home)], check=False)
