"""The command that shows possible savings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from typer import Option

from outlay.cli.actor import actor
from outlay.cli.audit_log import store_action
from outlay.cli.options import From, Tenant, To, Tz
from outlay.cli.output import err, line, unknown
from outlay.cli.report_query import Output
from outlay.cli.stores import open_clickhouse, read_published
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_pricer.ledger import Selection
from outlay_pricer.opportunities.search import Opportunities, find
from outlay_reports.adapters.savings import monthly_saving, saving_basis
from outlay_reports.money import counted, dollars, share
from outlay_reports.periods import parse_time_range, parse_zone
from outlay_reports.report_table import Column, ReportTable, Row, Spent, Value
from outlay_schemas.dimensions import name_of


class Dismissals:
    """Which opportunities were dismissed, and why; in ClickHouse. Every method raises Retryable where it is away."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse

    def reasons(self) -> dict[str, str]:
        """Return why each dismissed opportunity was, by its id."""
        rows = self._clickhouse.rows("SELECT id, reason FROM dismissals FINAL WHERE dismissed")
        return {row["id"]: row["reason"] for row in rows}

    def mark(self, identity: str, reason: str, who: str, at: datetime, *, dismissed: bool) -> None:
        """Dismiss an opportunity, or take it back. The newest mark counts."""
        row = {"id": identity, "dismissed": dismissed, "reason": reason, "by": who, "at": at.isoformat()}
        self._clickhouse.insert_json_lines("dismissals", msgspec.json.encode(row))


def opportunities(
    *,
    start: From = "7d",
    end: To = None,
    tz: Tz = "UTC",
    tenant: Tenant = "",
    limit: Annotated[int, Option(min=1, help="Number of rows.")] = 15,
    least: Annotated[float, Option(min=0, help="Leave out savings below this, in USD a month.")] = 1.0,
    most: Annotated[int, Option("--events", min=1, help="Price at most this many events.")] = 500_000,
    dismiss: Annotated[str | None, Option(metavar="ID", help="Stop showing this one.")] = None,
    restore: Annotated[str | None, Option(metavar="ID", help="Show this one again.")] = None,
    reason: Annotated[str, Option(help="Why it is dismissed.")] = "",
    dismissed: Annotated[bool, Option("--dismissed", help="Also show dismissed ones.")] = False,
    to: Output,
) -> None:
    """Show possible savings: each event of the ledger is priced again as it might have been.

    Prompt caching, batch and flex tiers, newer and smaller models, repeated calls, idle and oversized machines,
    commitments that would pay, colder storage classes, transfer across regions; ranked by dollars, with example events
    (--json: and the query that lists them all). Savings overlap: do not add them up.

    Examples:

        outlay opportunities
        outlay opportunities --from 30d --least 100 --json
        outlay opportunities --dismiss 55afbdab --reason "kept for the launch"
    """
    span = parse_time_range(start, end, parse_zone(tz), SystemClock().now())
    wanted = Selection(since=span.start, until=span.end, tenant=tenant)
    with open_clickhouse(tenant, write=bool(dismiss or restore)) as clickhouse:
        marks = Dismissals(clickhouse)
        known = marks.reasons()
        if dismiss or restore:
            name = dismiss or restore or ""
            if restore and name not in known:
                see = "list them: outlay opportunities --dismissed"
                raise unknown("dismissed opportunity", name, known, see)
            if dismiss:
                _require_opportunity(clickhouse, name, wanted, most)
            action = "opportunities.dismiss" if dismiss else "opportunities.restore"
            store_action(clickhouse, action, name, tenant=tenant, reason=reason)
            marks.mark(name, reason, actor(), SystemClock().now(), dismissed=bool(dismiss))
            line(f"{name} is {'dismissed' if dismiss else 'shown again'}")
            return
        found = _find(clickhouse, wanted, most)
    to.write(savings_table(found, limit, least, {} if dismissed else known))


def _find(clickhouse: ClickHouseClient, wanted: Selection, most: int) -> Opportunities:
    catalog = read_published()
    with err.status("pricing the ledger as it might have been") as status:
        return find(
            clickhouse, catalog, wanted, most=most, progress=lambda n: status.update(f"{n:,} events priced")
        )


def _require_opportunity(clickhouse: ClickHouseClient, name: str, wanted: Selection, most: int) -> None:
    known = {row["id"] for row in clickhouse.rows("SELECT DISTINCT id FROM opportunities WHERE id != ''")}
    if name not in known:
        known |= {one.id for one in _find(clickhouse, wanted, most).findings}
    if name not in known:
        raise unknown("opportunity", name, sorted(known))


def savings_table(
    found: Opportunities, limit: int, least: float, dismissed: Mapping[str, str]
) -> ReportTable:
    """Return the `limit` greatest savings of at least `least` USD a month, without the dismissed ones. Under three days
    of events have no monthly figure: `least` then applies to the observed saving."""
    months = {one.id: monthly_saving(one.saving, found.since, found.until) for one in found.findings}
    least_pico = round(least * 10**12)
    large = [
        one
        for one in found.findings
        if (one.saving if (month := months[one.id]) is None else month) >= least_pico
    ]
    shown = [one for one in large if one.id not in dismissed]
    rows = []
    for one in shown[:limit]:
        _, team, project, _, sku = one.where
        examples = [f"{source}#{name}" for source, name in one.examples]
        month = months[one.id]
        spent = Spent(one.saving), None if month is None else Spent(month)
        values: tuple[Value, ...] = (
            one.id, one.method.kind, name_of(team), project, sku, one.method.recommendation, *spent,
            share(one.saving, one.cost), one.events, one.method.prerequisite, examples[0], " ".join(examples),
            one.query(found.since, found.until),
        )  # fmt: skip
        rows.append(Row(values))
    columns = (
        Column("id", "id"), Column("kind", "kind"), Column("team", "team"), Column("project", "project"),
        Column("sku", "model or SKU"), Column("what", "recommendation"), Column("saving_usd", "saves", "usd"),
        Column("monthly_usd", "per month", "usd"), Column("share", "of cost", "share"),
        Column("events", "events", "count"), Column("check", "check first"), Column("example", "example"),
        Column("examples", "examples", wide=True), Column("evidence", "query", wide=True),
    )  # fmt: skip
    notes = _notes(found, limit, len(shown), len(large) - len(shown))
    facts = {"from": found.since.isoformat(), "to": found.until.isoformat(), "events": found.events}
    return ReportTable(
        "opportunities", f"Possible savings, from {counted(found.events, 'event')}", columns, tuple(rows),
        notes=tuple(notes), facts=facts, empty="no savings found",
    )  # fmt: skip


def _notes(found: Opportunities, limit: int, shown: int, hidden: int) -> list[str]:
    notes = [saving_basis(found.since, found.until), "savings overlap: do not add them up"]
    if found.cached:
        notes.append(f"prompt caching already saved {dollars(found.cached)} in this period")
    if hidden:
        notes.append(f"{hidden} dismissed: --dismissed shows them")
    if shown > limit:
        notes.append(f"{shown - limit} more: --limit")
    if not found.whole:
        until = f"{found.until:%Y-%m-%d %H:%M} UTC"
        notes.append(f"only the first {counted(found.events, 'event')} were priced, until {until}: --events")
    return notes
