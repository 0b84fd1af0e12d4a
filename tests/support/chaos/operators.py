"""Operators' commands as processes that die or wait at a step: `store_step` of outlay_kit.failpoints.

A step is before or after a statement of ClickHouse, a delivery to Kafka or a request to ingest. Each command is killed
at one step for a tenant of its own and then repeated; what it leaves must be what it left undisturbed for another
tenant with the same events.
"""

import itertools
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec
import psutil
from tests.support.catalogs import book, rule
from tests.support.chaos.rig import Pipeline
from tests.support.chaos.stores import Engine
from tests.support.processes import Broker
from tests.support.waiting import until

from outlay.catalog import load_default
from outlay.catalog.load import default_folder
from outlay.catalog.publish import CatalogTopic
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_kit.catalog_feed import KEY
from outlay_kit.clock import SystemClock
from outlay_kit.kafka import KafkaSink, Record, deliver
from outlay_kit.offsets import read_whole
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_schemas.catalog import decode_catalog
from outlay_schemas.events import encoder
from outlay_schemas.topics import CATALOG, USAGE_EVENTS

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([
    "outlay.main", "outlay.cli.catalog", "outlay.cli.chargeback", "outlay.cli.reprice", "outlay.cli.audit",
    "outlay.cli.dead_letters", "outlay.cli.imports", "outlay.cli.stack", "tests.support.chaos.broken_commands",
])  # fmt: skip
"""Commands are forked from a process that imported them: a start takes a moment."""
_WAVE = 12
"""Tenants that get their events together."""
_EACH, _MOST = 48, 400
"""Up to which step a command is killed at each, and how many it may have."""
_NUMBERS = itertools.count(1)
"""The tests of a session share the stores, and no tenant may have what another test left."""
_STATE = {
    "ledger": "SELECT source, id, time, sku, usage, cost, price_status FROM costs WHERE tenant = {t:String}"
    " ORDER BY source, id",
    **{
        view: f"SELECT * EXCEPT (tenant, version, written_at, is_final, final_as_of) FROM {view}"  # noqa: S608
        " WHERE tenant = {t:String} ORDER BY ALL"
        for view in ("costs_minutely", "costs_hourly", "costs_daily")
    },
    "dead letters": "SELECT stage, code, original FROM dead_letters FINAL WHERE tenant = {t:String} ORDER BY ALL",
    "replays": "SELECT topic, count() FROM dead_letter_replays FINAL WHERE tenant = {t:String} GROUP BY topic",
    "closed": "SELECT period, zone, seq, total, unpriced_events, body, note FROM closed_periods FINAL"
    " WHERE tenant = {t:String} ORDER BY ALL",
}


def _tenant() -> str:
    return f"op{next(_NUMBERS):04}"


def _command(words: Sequence[str], env: dict[str, str], log: str) -> None:
    """Be `outlay WORDS`, in a process of its own."""
    os.environ.update(env)
    out = os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(out, 1)
    os.dup2(out, 2)
    if words[0] == "broken":
        from tests.support.chaos.broken_commands import main
    else:
        from outlay.main import app as main
    main(words[1:] if words[0] == "broken" else list(words))


@dataclass
class Operators:
    """The commands over the stores of a pipeline, with tenants of their own."""

    pipeline: Pipeline

    def start(self, words: Sequence[str], failpoint: str = "", **env: str) -> tuple[BaseProcess, Path]:
        """Start a command; return its process and the file of what it prints."""
        log = self.pipeline.folder / f"command-{len(list(self.pipeline.folder.iterdir()))}.log"
        log.touch()
        home = {
            "OUTLAY_HOME": str(self.pipeline.folder / "home"),
            "OUTLAY_FAILPOINT": failpoint,
            "COLUMNS": "200",
        }
        process = _FORKS.Process(
            target=_command, args=(words, {**self.pipeline.env, **home, **env}, str(log))
        )
        process.start()
        return process, log

    def run(self, words: Sequence[str], failpoint: str = "", **env: str) -> tuple[int, str]:
        """Run a command; return its exit status (-9: killed) and what it printed."""
        return ended(*self.start(words, failpoint, **env))

    def fill(self, tenants: Iterable[str]) -> None:
        """Give tenants the same events: priced ones, some without a price, some that cannot be used."""
        sink = KafkaSink(self.pipeline.stores.kafka)
        for tenant in tenants:
            deliver(sink, USAGE_EVENTS.name, [b"\n".join(_events(tenant))])
        sink.close()
        self.pipeline.settle()

    def state(self, tenant: str) -> dict[str, Any]:
        """What a tenant has: events, rollups, dead letters, closed months, and catalogs with its budget."""
        found: dict[str, Any] = {
            what: self.pipeline.clickhouse.raw(sql, {"t": tenant}).replace(tenant.encode(), b"TENANT")
            for what, sql in _STATE.items()
        }
        revisions: set[int] = set()

        def note(record: Record) -> None:
            if record.key == KEY and any(b.tenant == tenant for b in decode_catalog(record.value).budgets):
                revisions.add(record.offset)

        read_whole(self.pipeline.stores.kafka, CATALOG.name, note)
        return {**found, "revisions": len(revisions)}


def ended(process: BaseProcess, log: Path, seconds: float = 150) -> tuple[int, str]:
    """Wait for the end of a command; return its exit status and what it printed."""
    process.join(seconds)
    code, said = process.exitcode, log.read_text()
    assert code is not None, f"it did not end in {seconds} s: {said[-2000:]}"
    process.close()
    return code, said


def stopped(process: BaseProcess) -> bool:
    """Whether a command waits at its failpoint, or ended."""
    return not process.is_alive() or psutil.Process(process.pid).status() == psutil.STATUS_STOPPED


def _events(tenant: str) -> list[bytes]:
    base = {
        "source": "api",
        "kind": "llm",
        "provider": "anthropic",
        "sku": "claude-sonnet-4-5",
        "tenant": tenant,
    }
    unknown = {"provider": "own", "sku": "box"}
    return [
        json.dumps({
            **base, "id": f"e{n}", "time": f"2026-10-{10 + n % 3}T0{n % 7}:{n % 50:02}:00Z", "team": f"t{n % 3}",
            "usage": {"input_tokens": -1 if n % 9 == 8 else 1000 + n},
            **(unknown if n % 5 == 4 else {}),
        }).encode()
        for n in range(36)
    ]  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """A command that an operator runs, and what must be there before."""

    words: Callable[[Operators, str], list[str]]
    prepare: Callable[[Operators, Sequence[str]], None] = lambda _, __: None
    env: Callable[[str], dict[str, str]] = lambda _: {}


def _folder(ops: Operators, tenant: str) -> list[str]:
    folder = ops.pipeline.folder / f"catalog-{tenant}"
    if not folder.exists():
        shutil.copytree(default_folder(), folder)
        own = {"id": tenant, "name": tenant, "tenant": tenant, "amount": "1", "thresholds": [50]}
        (folder / "budgets.yaml").write_text(json.dumps([own]))
    return ["catalog", "publish", str(folder), "--allow-removals"]


def _price_box(ops: Operators, tenants: Sequence[str]) -> None:
    """Publish a price for what has none, another one each time."""
    price = rule({"input_tokens": {"price": str(next(_NUMBERS))}}, "box", provider="own")
    own = load_default().model_copy(update={"price_books": (*load_default().price_books, book(price))})
    CatalogTopic(ops.pipeline.stores.kafka).publish(own, SystemClock())


def _spoil(ops: Operators, tenants: Sequence[str]) -> None:
    """Count two events of each tenant twice, as 0.1.0 did, and overwrite its hours with nothing."""
    clickhouse = ops.pipeline.clickhouse
    for tenant in tenants:
        found = list(LedgerReader(clickhouse).events(Selection(tenant=tenant)))[:2]
        later = [msgspec.structs.replace(e, time=e.time.replace(minute=55)) for e in found]
        LedgerStore(clickhouse, 1000).append("ledger_input", encoder.encode_lines(later))
        clickhouse.command(
            "INSERT INTO rollup_hour (tenant, window, version, groups) SELECT tenant, window, version + 1, []"
            " FROM rollup_hour FINAL WHERE tenant = {t:String}",
            {"t": tenant},
        )


def _table(ops: Operators, tenant: str) -> list[str]:
    folder = ops.pipeline.folder
    rows = "\n".join(f"r{n},2026-10-12T0{n % 7}:00:00Z,claude-sonnet-4-5,{n + 1}" for n in range(1200))
    (folder / "usage.csv").write_text(f"call,started,model,prompt\n{rows}\n")
    columns = {"source": "=csv", "id": "call", "time": "started", "sku": "model", "provider": "=anthropic"}
    more = {"kind": "=llm", "usage": {"input_tokens": "prompt"}}
    (folder / "columns.yaml").write_text(json.dumps({**columns, **more}))
    ingest = ops.pipeline.ingest
    key = ingest.keys.create(tenant, ("ingest",), SystemClock().now())
    sent = {"authorization": f"Bearer {key}"}
    until(lambda: ingest.post(b"", **sent).status_code != 401, 10, "the key known")
    given = ("--url", ingest.url.removesuffix("/v1/events"), "--api-key", key)
    return ["import", "csv", str(folder / "usage.csv"), "--map", str(folder / "columns.yaml"), *given]


OPERATIONS = {
    "catalog publish": Operation(_folder),
    "periods close": Operation(lambda _, t: ["periods", "close", "2026-10", "--tenant", t]),
    "reprice": Operation(lambda _, t: ["reprice", "--since", "2026-10-01", "--tenant", t], _price_box),
    "rebuild": Operation(lambda _, t: ["rebuild", "--tenant", t], _spoil),
    "dead-letters replay": Operation(
        lambda _, t: ["dead-letters", "replay", "--tenant", t, "--set", "usage.input_tokens=1000"]
    ),
    "audit": Operation(lambda _, t: ["audit", "--tenant", t]),
    "import": Operation(_table),
}
MARKS_FIRST = Operation(lambda _, t: ["broken", "replay marks first", t])
"""A negative control."""


def killed_at_every_step(ops: Operators, operation: Operation) -> tuple[int, int]:
    """Kill a command at each of its first steps and then at every fourth, which are the same for more windows; repeat
    it each time. Return the kills, and how many tenants have other data."""
    kills = wrong = 0
    steps = [*range(1, _EACH + 1), *range(_EACH + 1, _MOST, 4)]
    for at in range(0, len(steps), _WAVE):
        wave = steps[at : at + _WAVE]
        killed, other = killed_at(ops, operation, wave)
        kills, wrong = kills + killed, wrong + other
        if killed < len(wave):
            return kills, wrong
    raise AssertionError(f"it has more than {_MOST} steps")


def killed_at(ops: Operators, operation: Operation, steps: Sequence[int]) -> tuple[int, int]:
    """Kill a command at steps, each for another tenant, and repeat it; stop at one beyond its end. Return the kills,
    and how many tenants have other data than the one whose command was not disturbed."""
    tenants = [_tenant() for _ in (0, *steps)]
    ops.fill(tenants)
    operation.prepare(ops, tenants)
    kills = 0
    for step, tenant in zip((0, *steps), tenants, strict=True):
        words, env = operation.words(ops, tenant), operation.env(tenant)
        code, said = ops.run(words, f"store_step:{step}" if step else "", **env)
        if code == 0 and step:
            break
        if code == -signal.SIGKILL:
            kills += 1
            code, said = ops.run(words, **env)
        assert code == 0, f"{words} killed at step {step}: {said}"
    ops.pipeline.settle()
    right = ops.state(tenants[0])
    wrong = 0
    for step, tenant in zip(steps[:kills], tenants[1:], strict=False):
        found = ops.state(tenant)
        differs = [name for name in right if found[name] != right[name]]
        wrong += bool(differs)
        for name in differs:
            print(f"killed at step {step}: {name} is\n{found[name]}\nnot\n{right[name]}")  # noqa: T201
    return kills, wrong


def away_at(ops: Operators, operation: Operation, lost: Broker | Engine, step: int) -> tuple[str, int]:
    """Kill a store while a command waits at a step, start the store, repeat the command if it failed. Return what the
    command printed if it failed, and whether (0, 1) its tenant has other data than one that was not disturbed."""
    undisturbed, disturbed = tenants = [_tenant(), _tenant()]
    ops.fill(tenants)
    operation.prepare(ops, tenants)
    code, said = ops.run(operation.words(ops, undisturbed))
    assert code == 0, said
    words = operation.words(ops, disturbed)
    process, log = ops.start(words, f"store_step:{step}=stop")
    until(lambda: stopped(process), 60, f"step {step}")
    lost.kill()
    if process.is_alive():
        psutil.Process(process.pid).resume()
    code, failed = ended(process, log)
    lost.start()
    if code:
        assert code == 1, failed
        code, said = ops.run(words)
        assert code == 0, said
    ops.pipeline.settle(300)
    return failed if "Error: " in failed else "", int(ops.state(disturbed) != ops.state(undisturbed))
