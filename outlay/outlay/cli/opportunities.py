"""The command that says what could be saved."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import err, friendly_errors, out
from outlay.cli.pricing_options import read_published
from outlay.cli.report_options import (
    AsJsonOption,
    Format,
    FormatOption,
    From,
    OutFile,
    To,
    Tz,
    reading,
    write_report,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from outlay_pricer.opportunities.search import Opportunities
    from outlay_reports.report_table import ReportTable


@friendly_errors
def opportunities(
    start: From = "7d",
    end: To = None,
    tz: Tz = "UTC",
    tenant: Annotated[str, typer.Option(envvar="OUTLAY_TENANT", help="Whose costs. Default: of all.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Show so many at most.")] = 15,
    least: Annotated[
        float,
        typer.Option(min=0, help="Leave out what saves less USD a month."),
    ] = 1.0,
    most: Annotated[int, typer.Option("--events", min=1, help="Look at so many events at most.")] = 500_000,
    dismiss: Annotated[str | None, typer.Option(metavar="ID", help="Do not show this one any more.")] = None,
    restore: Annotated[str | None, typer.Option(metavar="ID", help="Show this one again.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is dismissed.")] = "",
    dismissed: Annotated[bool, typer.Option(help="Show what was dismissed, too.")] = False,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Show what could be saved: each event of the ledger is priced again as it might have been.

    Prompt caching, batch and flex tiers, newer and smaller models, repeated calls, idle and oversized machines,
    commitments that would pay, colder storage classes, transfer across regions; ranked by dollars, with the events that
    show it (--json: and the query that lists them). Savings overlap: do not add them up.

    Examples:

      outlay opportunities

      outlay opportunities --from 30d --least 100 --json

      outlay opportunities --dismiss 55afbdab --reason "kept for the launch"
    """
    from outlay.dismissals import Dismissals
    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.clock import SystemClock
    from outlay_pricer.ledger import Selection
    from outlay_pricer.opportunities.search import find
    from outlay_reports.periods import parse_time_range, parse_zone

    if dismiss or restore:
        _mark(dismiss or restore or "", reason, dismissed=bool(dismiss))
        return
    with reading():
        span = parse_time_range(start, end, parse_zone(tz), SystemClock().now())
        catalog = read_published()
        clickhouse = ClickHouseClient(stores()[1])
        try:
            with err.status("pricing the ledger as it might have been") as status:
                found = find(
                    clickhouse,
                    catalog,
                    Selection(since=span.start, until=span.end, tenant=tenant),
                    most=most,
                    told=lambda n: status.update(f"{n:,} events priced"),
                )
            known = Dismissals(clickhouse).reasons()
        finally:
            clickhouse.close()
        write_report(savings_table(found, limit, least, {} if dismissed else known), form, as_json, file)


def _mark(identity: str, reason: str, *, dismissed: bool) -> None:
    import getpass

    from outlay.dismissals import Dismissals
    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.clock import SystemClock

    clickhouse = ClickHouseClient(stores(write=True)[1])
    try:
        now = SystemClock().now()
        Dismissals(clickhouse).mark(identity, reason, getpass.getuser(), now, dismissed=dismissed)
    finally:
        clickhouse.close()
    out.print(f"{identity} is {'dismissed' if dismissed else 'shown again'}", markup=False)


def savings_table(
    found: "Opportunities", limit: int, least: float, dismissed: "Mapping[str, str]"
) -> "ReportTable":
    """Return the `limit` greatest savings of at least `least` USD a month, without those that are dismissed.

    With less than three days of events there is no monthly figure: `least` is then of what was observed.
    """
    from outlay_reports.money import share
    from outlay_reports.report_table import Column, ReportTable, Row, Spent, Value
    from outlay_reports.savings import monthly_saving
    from outlay_schemas.dimensions import name_of

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
        Column("id", "id"), Column("kind", "saving"), Column("team", "team"), Column("project", "project"),
        Column("sku", "of"), Column("what", "what to do"), Column("saving_usd", "saves", "usd"),
        Column("monthly_usd", "a month", "usd"), Column("share", "of its cost", "share"),
        Column("events", "events", "count"), Column("check", "make sure"), Column("example", "such as"),
        Column("examples", "some of them", wide=True), Column("evidence", "their query", wide=True),
    )  # fmt: skip
    notes = _notes(found, limit, len(shown), len(large) - len(shown))
    facts: dict[str, object] = {
        "from": found.since.isoformat(),
        "to": found.until.isoformat(),
        "events": found.events,
    }
    title = f"What could be saved, from {found.events:,} events"
    return ReportTable(
        "opportunities", title, columns, tuple(rows), notes=tuple(notes), facts=facts, empty="nothing"
    )


def _notes(found: "Opportunities", limit: int, shown: int, hidden: int) -> list[str]:
    from outlay_reports.money import dollars
    from outlay_reports.savings import saving_basis

    notes = [saving_basis(found.since, found.until), "savings overlap: do not add them up"]
    if found.cached:
        notes.append(f"prompt caching has already saved {dollars(found.cached)} in this time")
    if hidden:
        notes.append(f"{hidden} dismissed: --dismissed shows them")
    if shown > limit:
        notes.append(f"{shown - limit} more: --limit")
    if not found.whole:
        until = f"{found.until:%Y-%m-%d %H:%M} UTC"
        notes.append(f"only the first {found.events:,} events were looked at, until {until}: --events")
    return notes
