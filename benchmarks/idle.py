"""What the whole system takes while nothing happens: CPU and memory of each process, and the time until it is ready.

    python benchmarks/idle.py [--rest 20] [--seconds 60]

It starts `outlay up` in a folder of its own, lets it rest, and then looks at every process for a while, and at the fork
server. Memory is the proportional set size where the system knows it (shared pages are counted once), else the resident
one. A second start in the same folder is measured too: Kafka's first one writes an archive of its classes at its end.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from harness import cpu_seconds, options, show

from outlay.local.state import running


def main() -> None:
    chosen = options(__doc__, rest=20, seconds=60)
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "OUTLAY_HOME": home}
        outlay = [sys.executable, "-m", "outlay"]
        started = time.perf_counter()
        subprocess.run([*outlay, "up", "--ports", "auto"], env=env, check=True, stdout=subprocess.DEVNULL)
        show(ready_s=time.perf_counter() - started, load=os.getloadavg()[0])
        try:
            look(Path(home), chosen.rest, chosen.seconds)
        finally:
            subprocess.run([*outlay, "down"], env=env, check=True, stdout=subprocess.DEVNULL)
        started = time.perf_counter()
        subprocess.run([*outlay, "up", "--ports", "auto"], env=env, check=True, stdout=subprocess.DEVNULL)
        show(ready_again_s=time.perf_counter() - started, load=os.getloadavg()[0])
        subprocess.run([*outlay, "down"], env=env, check=True, stdout=subprocess.DEVNULL)


def look(home: Path, rest: int, seconds: int) -> None:
    time.sleep(rest)
    if (state := running(home)) is None:
        raise SystemExit("the system ended")
    pids = {"supervisor": state.pid, **{process.name: process.pid for process in state.processes}}
    others = [p for p in psutil.Process(state.pid).children(recursive=True) if p.pid not in pids.values()]
    pids |= {f"{other.name()} {other.pid}": other.pid for other in others}
    processes = {name: psutil.Process(pid) for name, pid in pids.items()}
    before = {name: cpu_seconds(process) for name, process in processes.items()}
    time.sleep(seconds)
    used = {
        name: (cpu_seconds(process) - before[name]) / seconds * 100 for name, process in processes.items()
    }
    held = {name: memory(process) / 2**20 for name, process in processes.items()}
    for name in pids:
        show(process=name, percent_of_a_core=used[name], mib=held[name])
    show(process="all", percent_of_a_core=sum(used.values()), mib=sum(held.values()))


def memory(process: psutil.Process) -> int:
    found = process.memory_full_info()
    return int(getattr(found, "pss", found.rss))


if __name__ == "__main__":
    main()
