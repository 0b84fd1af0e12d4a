"""The whole system as a user runs it: `outlay up` in a folder of its own, asked by the command line."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from tests.support.endings import started
from tests.support.processes import Ingest

from outlay.local.state import LocalState, running


@dataclass(frozen=True)
class Cli:
    """The command line over one data folder."""

    home: Path
    python: str = sys.executable
    """The environment whose release it is."""

    @property
    def env(self) -> dict[str, str]:
        """The environment of every command: no store but the folder's own."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("OUTLAY_") or k == "OUTLAY_CACHE"}
        return {**kept, "OUTLAY_HOME": str(self.home), "COLUMNS": "160"}

    def __call__(self, *args: str, stdin: str = "", status: int = 0) -> str:
        """Run `outlay ARGS`, expect its exit status, return what it printed."""
        if args[0] == "up" and running(self.home) is None:
            started(self.kill)
        done = subprocess.run(
            [self.python, "-m", "outlay", *args],
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == status, f"outlay {' '.join(args)}: {done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr if status else done.stdout

    def json(self, *args: str, stdin: str = "") -> Any:
        """Run a command with --json and return what it says."""
        return json.loads(self(*args, "--json", stdin=stdin))

    def state(self) -> LocalState:
        """How to reach the system that runs."""
        state = running(self.home)
        assert state is not None
        return state

    def kill(self) -> None:
        """Kill the system if it runs, its supervisor first."""
        if (state := running(self.home)) is None:
            return
        supervisor = psutil.Process(state.pid)
        for process in (supervisor, *supervisor.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


class RunningIngest(Ingest):
    """Ingest of a running system, as the sender knows it."""

    def __init__(self, url: str, key: str) -> None:
        self.address, self.key = url, key

    @property
    def url(self) -> str:
        return f"{self.address}/v1/events"


def processes_of(home: Path) -> list[str]:
    """Return the processes that were started for a folder and still run."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        command = " ".join(process.info["cmdline"] or [])
        folder = (process.info["environ"] or {}).get("OUTLAY_HOME", "")
        if str(home) in command + folder and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(f"{process.pid} {command[:200]}")
    return found
