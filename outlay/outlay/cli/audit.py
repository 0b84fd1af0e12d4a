"""Commands that verify the ledger and the rollups, and rebuild rollups: audit, rebuild."""

from contextlib import closing
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from typer import Option

from outlay.cli.options import AsJson, DryRun, read_utc
from outlay.cli.output import line, print_json, print_rows, print_table, resumable
from outlay.cli.progress import progress_bar
from outlay.cli.stores import first_kept, open_clickhouse, require_kept, require_tenants
from outlay.local.state import stores
from outlay_aggregator.adapters.accepted_events import AcceptedEvents, AcceptedEventsAudit
from outlay_aggregator.adapters.audit import NAMED, Audit, Conflict, Period, Wrong
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.adapters.rebuild import Rebuild
from outlay_aggregator.domain.windows import Range
from outlay_aggregator.settings import Settings
from outlay_kit.clock import SystemClock
from outlay_kit.kafka import KafkaSink, deliver
from outlay_kit.offsets import Offsets
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.money import counted
from outlay_schemas.topics import ROLLUPS

_MOST_TWICE = 1_000_000  # events that count twice, of which one rebuild takes care
From = Annotated[str | None, Option("--from", metavar="TIME", help="First time, ISO 8601; UTC by default.")]
To = Annotated[str | None, Option("--to", metavar="TIME", help="End, exclusive.")]
Tenants = Annotated[
    list[str] | None, Option("--tenant", help="Only this tenant; repeat for more. Default: all.")
]


def audit(
    *,
    start: From = None,
    end: To = None,
    tenant: Tenants = None,
    kafka: Annotated[
        bool, Option("--kafka/--no-kafka", help="Also look for every event that Kafka still keeps.")
    ] = True,
    patience: Annotated[float, Option(min=0, help="Seconds to wait for events in flight.")] = 30,
    as_json: AsJson = False,
) -> None:
    """Verify that nothing was lost. Exit status 1 if something was.

    Accepted = in the ledger + dead-lettered + in flight, event by event, for what Kafka keeps (7 days);
    rollups = ledger, cell by cell, for every minute, hour and day; and events that differ under one
    identity are reported. You can run it at any time: it waits for events in flight.

    Examples:

        outlay audit
        outlay audit --from 2026-11-01 --to 2026-12-01 --tenant acme --json
    """
    asked = _range(start, end, tenant, "the ledger no longer has what the totals would be compared with")
    accepted = None
    with (  # it writes scratch tables, and settings that a reader may not change
        resumable("the audit changed nothing"),
        open_clickhouse(write=True) as clickhouse,
        progress_bar("events", "share", as_json) as (progress, task),
    ):
        auditor = Audit(LedgerStore(clickhouse, Settings().user_cells), clickhouse, SystemClock())
        if kafka:
            with closing(Offsets(stores(write=True)[0])) as offsets:
                groups = Settings().pricer_group, Settings().group
                accepted = AcceptedEventsAudit(clickhouse, offsets, SystemClock(), *groups).check(
                    asked.tenants, patience, lambda n: progress.update(task, description=f"events {n:,}")
                )
        progress.update(task, description="cells", total=1.0, completed=0)
        count, wrong = auditor.differences(asked, patience, lambda n: progress.update(task, completed=n))
        periods = auditor.periods(asked)
        conflicts = [*auditor.twice(asked), *auditor.conflicts(asked)]
        seen = {period.tenant for period in periods}
        seen |= {balance.tenant for balance in (accepted.balances if accepted else ()) if balance.accepted}
        require_tenants(CostReader(clickhouse), [name for name in asked.tenants if name not in seen])
    named = {conflict.identity for conflict in conflicts}
    conflicts += [c for c in (accepted.conflicts if accepted else []) if c.identity not in named]
    report = Report(accepted, periods, count, wrong, conflicts)
    if as_json:
        print_json(report.as_dict())
    else:
        report.print()
    if not report.balanced:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Report:
    """What an audit found."""

    accepted_events: AcceptedEvents | None
    periods: list[Period]
    count: int  # windows that differ
    wrong: list[Wrong]
    conflicts: list[Conflict]

    @property
    def balanced(self) -> bool:
        """Whether nothing is missing, no window differs and no event counts twice."""
        missing = self.accepted_events and self.accepted_events.missing
        return not (self.count or self.twice or missing)

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
                {"grain": each.grain, "tenant": each.window.tenant, "window": _time(each.window.start)}
                | {"cells": [asdict(cell) for cell in each.cells]}
                for each in self.wrong
            ],
            "conflicts": [asdict(conflict) for conflict in self.conflicts],
        }

    def print(self) -> None:
        """Print it for people."""
        if self.accepted_events is not None:
            _print_accepted_events(self.accepted_events)
        print_table(
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
                right, stored = (f"{usd} USD, {counted(n, 'event')}" for usd, n in (cell.right, cell.stored))
                window = f"{each.grain} {_time(each.window.start)} {each.window.tenant} {cell.cell}"
                line(f"differs: {window}: ledger {right}; rollup {stored}", "red")
        columns = ("tenant", "source", "id", "with", ">bodies", "first time", "last time")
        rows = [astuple(conflict) for conflict in self.conflicts]
        print_table("Conflicts: one identity, different events", columns, rows, "no conflicts")
        if len(rows) >= NAMED:
            line(
                f"each check names {NAMED} conflicts at most; the console counts them all, under Data quality"
            )
        if self.balanced:
            line("everything balances", "green")
            return
        line(f"does not balance: {self.count} windows differ, {self.twice} events count twice", "bold red")
        if self.count or self.twice:
            line("Fix: outlay rebuild, for the time range that differs")


def _print_accepted_events(found: AcceptedEvents) -> None:
    columns = ("tenant", ">accepted", ">in ledger", ">as events", ">dead letters", ">in flight", ">missing")
    rows = [
        [b.tenant, *(f"{n:,}" for n in (b.accepted, b.ledger, b.events, b.dead, b.in_flight, b.missing))]
        for b in found.balances
    ]
    print_table("Accepted, as far as Kafka keeps it", columns, rows, "Kafka keeps no accepted event")
    if found.unpriced_lines:
        line(f"{found.unpriced_lines:,} more wait to be priced", "dim")
    for balance in found.balances:
        for name in balance.first_missing:
            line(f"missing: {balance.tenant} {name}", "red")


def rebuild(
    *,
    start: From = None,
    end: To = None,
    tenant: Tenants = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Recompute the rollups of a time range from the ledger; events may arrive meanwhile.

    Events that version 0.1.0 counted twice, because it treated the time as a part of their identity, count once
    afterwards. Correct windows stay as they are; `outlay audit` shows which are not. Days that the ledger keeps only in
    part stay too.

    Examples:

        outlay rebuild --from 2026-11-01 --to 2026-11-02
        outlay rebuild --tenant acme --dry-run
    """
    asked = _range(start, end, tenant, "sums of what is left would replace the right ones")
    with resumable() as so_far, open_clickhouse(*asked.tenants, write=True) as clickhouse:
        ledger = LedgerStore(clickhouse, Settings().user_cells)
        rebuilder, auditor = Rebuild(ledger), Audit(ledger, clickhouse, SystemClock())
        if dry_run:
            windows = rebuilder.windows(asked).items()
            rows: list[dict[str, object]] = [{"grain": grain, "windows": count} for grain, count in windows]
        else:

            def show(share: float) -> None:
                so_far(f"{share:.0%} of the range is rebuilt, the rest is not")
                progress.update(task, completed=share)

            sink = KafkaSink(stores(write=True)[0])
            with closing(sink), progress_bar("windows", "share", as_json, 1.0) as (progress, task):
                show(0.0)
                rebuilder.settle(list(auditor.twice(asked, _MOST_TWICE)), int(first_kept().timestamp()))
                done = rebuilder.run(
                    asked,
                    auditor.spans(asked),
                    lambda record: deliver(sink, ROLLUPS.name, [record]),
                    show,
                )
            rows = [asdict(each) for each in done]
    print_rows(as_json, rows, "", "nothing to rebuild")


def _range(start: str | None, end: str | None, tenants: list[str] | None, why: str) -> Range:
    """Return the time range and tenants that are asked for. Raises CommandError, with `why`, for a range too old."""
    hint = "write it as 2026-11-24 or 2026-11-24T12:00Z"
    first = read_utc(start, f'--from "{start}"', hint) if start else first_kept()
    require_kept(first, "--from", why)
    high = int(read_utc(end, f'--to "{end}"', hint).timestamp()) if end else Range().high
    return Range(int(first.timestamp()), high, tuple(tenants or ()))


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%MZ")
