"""Commands that hold the books to account: audit, rebuild."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from outlay.cli.common import AsJson, CommandError, err, friendly_errors, out, print_json, table
from outlay.cli.retention import first_kept, require_kept

if TYPE_CHECKING:
    from outlay_aggregator.adapters.accepted_events import AcceptedEvents
    from outlay_aggregator.adapters.audit import Conflict, Period, Range, Wrong
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.settings import KafkaSettings

_MOST_TWICE = 1_000_000
"""Events that count twice, of which one rebuild takes care."""
From = Annotated[
    str | None, typer.Option("--from", metavar="TIME", help="First time, ISO 8601; UTC unless it says.")
]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="End, not included.")]
Tenants = Annotated[
    list[str] | None, typer.Option("--tenant", help="Only this tenant; may be repeated. Default: all.")
]


@friendly_errors
def audit(
    *,
    start: From = None,
    end: To = None,
    tenant: Tenants = None,
    bus: Annotated[
        bool, typer.Option("--bus/--no-bus", help="Look for every event that Kafka still keeps, too.")
    ] = True,
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait for what is under way.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Check that the books balance. Exit status 1 if they do not.

    Accepted = in the ledger + dead-lettered + in flight, event by event, for what Kafka keeps (7 days);
    rollups = ledger, cell by cell, for every minute, hour and day; and what was sent under one identity
    and differs is reported. It may run at any time: what is under way is waited for.

    Examples:

      outlay audit

      outlay audit --from 2026-11-01 --to 2026-12-01 --tenant acme --json
    """
    from outlay.local import stores
    from outlay_aggregator.adapters.audit import Audit
    from outlay_aggregator.adapters.ledger_store import LedgerStore
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.clock import SystemClock

    asked = _range(start, end, tenant, "there is nothing left to hold the totals against")
    kafka, settings = stores(write=True)  # the scratch tables, and settings that a reader may not change
    clickhouse = ClickHouseClient(settings)
    auditor = Audit(LedgerStore(clickhouse, _cells()), clickhouse, SystemClock())
    with _bar("events", as_json) as (progress, task):
        accepted_events = None
        if bus:
            accepted_events = _audit_accepted_events(
                kafka,
                clickhouse,
                asked,
                patience,
                lambda lines: progress.update(task, description=f"events {lines:,}"),
            )
        progress.update(task, description="cells", total=1.0, completed=0)
        count, wrong = auditor.differences(
            asked, patience, lambda share: progress.update(task, completed=share)
        )
        periods = auditor.periods(asked)
        conflicts = [*auditor.twice(asked), *auditor.conflicts(asked)]
    clickhouse.close()
    conflicts += [c for c in (accepted_events.conflicts if accepted_events else []) if c not in conflicts]
    report = Report(accepted_events, periods, count, wrong, conflicts)
    if as_json:
        print_json(report.as_dict())
    else:
        report.print()
    if not report.balanced:
        raise typer.Exit(1)


def _audit_accepted_events(
    kafka: "KafkaSettings",
    clickhouse: "ClickHouseClient",
    asked: "Range",
    patience: float,
    told: Callable[[int], None],
) -> "AcceptedEvents":
    from outlay_aggregator.adapters.accepted_events import AcceptedEventsAudit
    from outlay_aggregator.settings import Settings
    from outlay_kit.clock import SystemClock
    from outlay_kit.offsets import Offsets

    settings = Settings()
    offsets = Offsets(kafka)
    auditor_of_events = AcceptedEventsAudit(
        clickhouse, offsets, SystemClock(), settings.pricer_group, settings.group
    )
    try:
        return auditor_of_events.check(asked.tenants, patience, told)
    finally:
        offsets.close()


@dataclass(frozen=True)
class Report:
    """What an audit found."""

    accepted_events: "AcceptedEvents | None"
    periods: "list[Period]"
    count: int
    """Windows that differ."""
    wrong: "list[Wrong]"
    conflicts: "list[Conflict]"

    @property
    def balanced(self) -> bool:
        """Whether nothing is missing, no window differs and no event counts twice."""
        return (
            not self.count and not self.twice and not (self.accepted_events and self.accepted_events.missing)
        )

    @property
    def twice(self) -> int:
        """How many identities count more than once, of those named."""
        return sum(conflict.kind == "counted twice" for conflict in self.conflicts)

    def as_dict(self) -> dict[str, object]:
        """Return it for machines."""
        found = self.accepted_events
        return {
            "balanced": self.balanced,
            "accepted_events": found
            and {
                "tenants": [asdict(balance) for balance in found.balances],
                "not_yet_priced": found.unpriced_lines,
                "missing": found.missing,
            },
            "periods": [{**asdict(period), "balanced": period.balanced} for period in self.periods],
            "windows_differing": self.count,
            "differences": [
                {
                    "grain": each.grain,
                    "tenant": each.window.tenant,
                    "window": _time(each.window.start),
                    "cells": [asdict(cell) for cell in each.cells],
                }
                for each in self.wrong
            ],
            "conflicts": [asdict(conflict) for conflict in self.conflicts],
        }

    def print(self) -> None:
        """Print it for people."""
        if self.accepted_events is not None:
            _print_accepted_events(self.accepted_events)
        table(
            "Ledger and rollups, USD",
            ("tenant", "month", ">events", ">unpriced", ">ledger", ">minutes", ">hours", ">days"),
            [
                (p.tenant, p.month, f"{p.events:,}", p.unpriced, p.ledger, *p.rollups.values())
                for p in self.periods
            ],
            "the ledger is empty",
        )
        for each in self.wrong:
            for cell in each.cells:
                out.print(
                    f"[red]differs[/] {each.grain} {_time(each.window.start)} {each.window.tenant} {cell.cell}:"
                    f" ledger {cell.right[0]} USD, {cell.right[1]} events; rollup {cell.stored[0]} USD,"
                    f" {cell.stored[1]} events",
                    soft_wrap=True,
                )
        columns = ("tenant", "source", "id", "with", ">bodies", "first time", "last time")
        rows = [
            (c.tenant, c.source, c.id, c.kind, c.bodies, c.first_time, c.last_time) for c in self.conflicts
        ]
        table("Conflicts: one identity, different events", columns, rows, "no conflicts")
        if self.balanced:
            out.print("[green]the books balance[/]")
            return
        out.print(
            f"[bold red]the books do not balance[/]: {self.count} windows differ, {self.twice} events count twice"
        )
        if self.count or self.twice:
            out.print("what to do: outlay rebuild, over the time that differs")


def _print_accepted_events(found: "AcceptedEvents") -> None:
    rows = [
        (b.tenant, f"{b.accepted:,}", f"{b.ledger:,}", f"{b.events:,}", f"{b.dead:,}", f"{b.in_flight:,}",
         f"{b.missing:,}")
        for b in found.balances
    ]  # fmt: skip
    columns = (
        "tenant",
        ">accepted",
        ">in ledger",
        ">of them events",
        ">dead letters",
        ">in flight",
        ">missing",
    )
    table("Accepted, as far as Kafka keeps it", columns, rows, "Kafka keeps no accepted event")
    if found.unpriced_lines:
        out.print(f"{found.unpriced_lines:,} more wait to be priced", style="dim")
    for balance in found.balances:
        for name in balance.first_missing:
            out.print(f"[red]missing[/] {balance.tenant} {name}", soft_wrap=True)


@friendly_errors
def rebuild(
    *,
    start: From = None,
    end: To = None,
    tenant: Tenants = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many windows there are.")] = False,
    as_json: AsJson = False,
) -> None:
    """Recompute the rollups of a time from the ledger; events may come in meanwhile.

    Events that an older release counted twice, because it took the time for a part of their identity, count once
    after it. Windows that are right stay as they are. `outlay audit` says which are not. Days of which the ledger no
    longer keeps everything stay too.

    Examples:

      outlay rebuild --from 2026-11-01 --to 2026-11-02

      outlay rebuild --tenant acme --dry-run
    """
    from outlay.local import stores
    from outlay_aggregator.adapters.audit import Audit
    from outlay_aggregator.adapters.ledger_store import LedgerStore
    from outlay_aggregator.adapters.rebuild import Rebuild
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.clock import SystemClock
    from outlay_kit.kafka import KafkaSink, deliver
    from outlay_schemas.topics import ROLLUPS

    kafka, settings = stores(write=True)
    clickhouse = ClickHouseClient(settings)
    books = LedgerStore(clickhouse, _cells())
    asked = _range(start, end, tenant, "sums of what is left would replace the right ones")
    rebuilder, auditor = Rebuild(books), Audit(books, clickhouse, SystemClock())
    if dry_run:
        rows: list[dict[str, object]] = [
            {"grain": grain, "windows": count} for grain, count in rebuilder.windows(asked).items()
        ]
    else:
        sink = KafkaSink(kafka)
        with _bar("windows", as_json, 1.0) as (progress, task):
            rebuilder.settle(list(auditor.twice(asked, _MOST_TWICE)), int(first_kept().timestamp()))
            done = rebuilder.run(
                asked,
                auditor.spans(asked),
                lambda line: deliver(sink, ROLLUPS.name, [line]),
                lambda share: progress.update(task, completed=share),
            )
        sink.close()
        rows = [asdict(each) for each in done]
    clickhouse.close()
    if as_json:
        print_json(rows)
    else:
        table("", list(rows[0]), [list(row.values()) for row in rows], "")


@contextmanager
def _bar(what: str, quiet: bool, total: float | None = None) -> Iterator[tuple[Progress, TaskID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=quiet, transient=True) as progress:
        yield progress, progress.add_task(what, total=total)


def _cells() -> int:
    """The bound on users that the aggregator is told; both must agree."""
    from outlay_aggregator.settings import Settings

    return Settings().user_cells


def _range(start: str | None, end: str | None, tenants: list[str] | None, why: str) -> "Range":
    """Return what is asked for, of what is kept. Raises CommandError: `why` nothing older can be asked for."""
    from outlay_aggregator.adapters.audit import Range

    usual = Range()
    low = _seconds(start, "--from") if start else int(first_kept().timestamp())
    require_kept(datetime.fromtimestamp(low, UTC), "--from", why)
    return Range(low, _seconds(end, "--to") if end else usual.high, tuple(tenants or ()))


def _seconds(text: str, option: str) -> int:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"{option} {text} is no time", "write it as 2026-11-24 or 2026-11-24T12:00Z"
        ) from None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")
