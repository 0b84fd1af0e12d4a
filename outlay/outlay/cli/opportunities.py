"""The command that says what could be saved."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.choices import read_published
from outlay.cli.common import err, told
from outlay.cli.reports import AsJsonOption, Format, FormatOption, From, OutFile, To, Tz, give, reading

if TYPE_CHECKING:
    from outlay.opportunities.run import Opportunities
    from outlay_reports.sheet import Sheet


@told
def opportunities(
    start: From = "7d",
    end: To = None,
    tz: Tz = "UTC",
    tenant: Annotated[str, typer.Option(envvar="OUTLAY_TENANT", help="Whose costs. Default: of all.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Show so many at most.")] = 15,
    least: Annotated[float, typer.Option(min=0, help="Leave out what saves less USD a month.")] = 1.0,
    most: Annotated[int, typer.Option("--events", min=1, help="Look at so many events at most.")] = 500_000,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Show what could be saved: each event of the ledger is priced again as it might have been.

    Prompt caching, the batch tier, newer and smaller models, idle machines, repeated calls; ranked by dollars, with the
    events that show it. Savings overlap: do not add them up.

    Examples:

      outlay opportunities

      outlay opportunities --from 30d --least 100 --json
    """
    from outlay.local import stores
    from outlay.opportunities.run import find
    from outlay_kit.clock import SystemClock
    from outlay_kit.warehouse import Warehouse
    from outlay_reports.periods import read_span, zone_of

    with reading():
        span = read_span(start, end, zone_of(tz), SystemClock().now())
        catalog = read_published()
        warehouse = Warehouse(stores()[1])
        try:
            with err.status("pricing the ledger as it might have been") as status:
                found = find(
                    warehouse,
                    catalog,
                    span,
                    tenant,
                    most=most,
                    told=lambda n: status.update(f"{n:,} events priced"),
                )
        finally:
            warehouse.close()
        give(savings_sheet(found, limit, least), form, as_json, file)


def savings_sheet(found: "Opportunities", limit: int, least: float) -> "Sheet":
    """Return the `limit` greatest savings of at least `least` USD a month."""
    from datetime import timedelta
    from fractions import Fraction

    from outlay_reports.money import share
    from outlay_reports.sheet import Column, Row, Sheet, Spent, Value
    from outlay_reports.sheets import name_of

    month = Fraction(timedelta(days=30) / found.span.length)
    shown = [one for one in found.findings if one.saving * month >= Fraction(least) * 10**12]
    rows = []
    for one in shown[:limit]:
        _, team, project, _, sku = one.where
        example = " ".join(f"{source}#{name}" for source, name in one.examples[:1])
        spent = Spent(one.saving), Spent(round(one.saving * month))
        values: tuple[Value, ...] = (
            one.id, one.way.kind, name_of(team), project, sku, one.way.what, *spent,
            share(one.saving, one.cost), one.events, one.way.check, example,
        )  # fmt: skip
        rows.append(Row(values))
    columns = (
        Column("id", "id"), Column("kind", "saving"), Column("team", "team"), Column("project", "project"),
        Column("sku", "of"), Column("what", "what to do"), Column("saving_usd", "saves", "usd"),
        Column("monthly_usd", "a month", "usd"), Column("share", "of its cost", "share"),
        Column("events", "events", "count"), Column("check", "make sure"), Column("example", "such as"),
    )  # fmt: skip
    notes = ["savings overlap: do not add them up"]
    if len(shown) > limit:
        notes.append(f"{len(shown) - limit} more: --limit")
    if not found.whole:
        until = f"{found.span.end:%Y-%m-%d %H:%M} UTC"
        notes.append(f"only the first {found.events:,} events were looked at, until {until}: --events")
    span = found.span
    facts: dict[str, object] = {
        "from": span.start.isoformat(),
        "to": span.end.isoformat(),
        "events": found.events,
    }
    title = f"What could be saved, from {found.events:,} events"
    return Sheet(
        "opportunities", title, columns, tuple(rows), notes=tuple(notes), facts=facts, empty="nothing"
    )
