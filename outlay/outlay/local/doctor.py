"""What this machine needs for the embedded stack, looked at one by one, with a fix for each problem."""

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import psutil

from outlay.embedded.errors import StackError
from outlay.embedded.jars import KAFKA_VERSION, cache_folder, locked, missing
from outlay.embedded.kafka import find_java, java_version
from outlay.embedded.ports import LISTENERS, is_free, owner, usual_ports
from outlay.local.state import home_folder, running
from outlay.local.system import answers
from outlay_reports.money import counted

_FREE_BYTES = 2 * 2**30
_MEMORY_BYTES = 3 * 2**30


@dataclass(frozen=True)
class Check:
    """One thing looked at. A warning does not keep the system from running."""

    name: str
    state: Literal["ok", "warning", "error"]
    found: str
    hint: str = ""


def checks() -> Iterator[Check]:
    """Look at everything, one after the other. Nothing is changed and nothing is fetched."""
    yield Check("Python", "ok", sys.version.split()[0])
    for look in (_java, _kafka, _clickhouse, _folder, _memory, _ports, _system):
        yield from look()


def _java() -> Iterator[Check]:
    try:
        java = find_java()
    except StackError as error:
        yield Check("Java", "error", error.message, error.hint)
    else:
        yield Check("Java", "ok", f"{java_version(java)} at {java}")


def _kafka() -> Iterator[Check]:
    folder = cache_folder() / f"kafka-{KAFKA_VERSION}"
    wanted = missing(locked(), folder)
    if not wanted:
        yield Check("Kafka", "ok", f"{KAFKA_VERSION} in {folder}")
        return
    size = sum(jar.size for jar in wanted) / 1e6
    found = f"{len(wanted)} jars ({size:.0f} MB) are still to be fetched to {folder}"
    hint = "outlay up fetches them; without a network, copy the folder from another machine"
    yield Check("Kafka", "warning", found, hint)


def _clickhouse() -> Iterator[Check]:
    if binary := shutil.which("clickhouse"):
        yield Check("ClickHouse", "ok", f"the server at {binary}")
        return
    try:
        import chdb
    except ImportError as error:
        yield Check("ClickHouse", "error", f"chDB does not load: {error}", "reinstall: make clean setup")
    else:
        yield Check("ClickHouse", "ok", f"chDB {chdb.__version__}, the engine as a package")


def _folder() -> Iterator[Check]:
    home = home_folder()
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        why = "is not a folder" if not place.is_dir() else "cannot be written"
        yield Check("data folder", "error", f"{place} {why}", "choose another folder: OUTLAY_HOME=DIR")
        return
    free = shutil.disk_usage(place).free
    hint = "free some space, or choose another folder: OUTLAY_HOME=DIR"
    yield _enough("data folder", free > _FREE_BYTES, f"{home}, {free / 2**30:.1f} GiB free", hint)


def _memory() -> Iterator[Check]:
    free = psutil.virtual_memory().available
    hint = "close something: the system takes 2 to 3 GiB"
    yield _enough("memory", free > _MEMORY_BYTES, f"{free / 2**30:.1f} GiB available", hint)


def _enough(name: str, enough: bool, found: str, hint: str) -> Check:
    return Check(name, "ok", found) if enough else Check(name, "warning", found, hint)


def _ports() -> Iterator[Check]:
    if running() is not None:
        return
    for name, port in usual_ports().items():
        what, variable, _ = LISTENERS[name]
        if is_free(port):
            yield Check(f"port {port}", "ok", f"free for {what}")
        else:
            hint = f"stop it, set {variable}=PORT, or use: outlay up --ports auto"
            yield Check(f"port {port}", "warning", f"wanted for {what}, taken by {owner(port)}", hint)


def _system() -> Iterator[Check]:
    state = running()
    if state is None:
        yield Check("system", "ok", "not running (outlay up starts it)")
        return
    for part in state.processes:
        if part.health and not answers(part.health):
            hint = f"read {home_folder()}/logs/{part.name}.log"
            yield Check(part.name, "error", "does not say that it is ready", hint)
        else:
            yield Check(part.name, "ok", f"pid {part.pid}, restarted {counted(part.restarts, 'time')}")
