"""Commands that charge costs back: statements for business units, and the close of a month."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, get_args

from typer import Argument, Option

from outlay.cli.actor import actor
from outlay.cli.help import App
from outlay.cli.options import (
    AsJson,
    CurrencyCode,
    FormatJson,
    OneTenant,
    OutFile,
    Tz,
    format_for,
    write_file,
)
from outlay.cli.output import CommandError, note, print_rows, resumable
from outlay.cli.report_query import currency_of, splits_of, write_report
from outlay.cli.stores import open_clickhouse, open_costs
from outlay_kit.clock import SystemClock
from outlay_reports.adapters.closed_periods import ClosedPeriods
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.chargeback import Closing, amendments
from outlay_reports.renderers import html_page, html_table, to_csv
from outlay_reports.report_table import ReportTable
from outlay_reports.statements import (
    ChargebackMonth,
    file_names,
    index_table,
    month_table,
    parse_chargeback_query,
    read_month,
)
from outlay_schemas.currency import USD
from outlay_schemas.dimensions import PAYER

app = App("periods", "Close months, and list the closed ones.")
Format = Literal["table", "csv", "json", "markdown", "html"]
Note = Annotated[str, Option("--note", help="A comment, kept with the closing.")]


def chargeback(
    *,
    month: Annotated[str | None, Option(metavar="YYYY-MM", help="Default: this month.")] = None,
    unit: Annotated[str, Option("--by", metavar="DIM", help="Dimension with one statement each.")] = PAYER,
    lines: Annotated[str, Option(metavar="DIM,DIM", help="Dimensions of a line.")] = "team,provider,model",
    tz: Tz = "UTC",
    tenant: OneTenant = None,
    currency: CurrencyCode = "USD",
    close: Annotated[bool, Option("--close", help="Close the month: freeze its statements.")] = False,
    comment: Note = "",
    form: Annotated[
        Format | None, Option("--format", "-f", help="Default: by the ending of --output, else a table.")
    ] = None,
    as_json: FormatJson = False,
    file: OutFile = None,
    each: Annotated[
        Path | None, Option(metavar="DIR", help="Write a page and a CSV for each unit here.")
    ] = None,
) -> None:
    """Charge a month's costs back: a statement for each business unit, shared costs allocated by the catalog's splits.

    A closed month no longer changes: usage that arrives or is priced later is shown as amendments.

    Examples:

        outlay report chargeback
        outlay report chargeback --month 2026-10 --tz Europe/Berlin --close --note "agreed with finance"
        outlay report chargeback --month 2026-10 --each statements/
    """
    chosen = format_for(get_args(Format), "json" if as_json else form, file, "table")
    now = SystemClock().now()
    with resumable() as done, open_costs(tenant or "") as costs:
        whose, of = one_tenant(costs, tenant), currency_of(currency)
        if close and of != USD:
            raise CommandError(
                "a month is closed in USD, the currency of record", "give --currency USD with --close"
            )
        query = parse_chargeback_query(whose, now, month=month, unit=unit, lines=lines, tz=tz)
        query = replace(query, currency=of)
        found = read_month(costs, query, splits_of(query))
        if close and (closing := _closing(found, comment, now)):
            done(f"{found.name} may be closed or not, but never in part")
            _keep(found, closing)
            done(f"{found.name} is closed, its statements were not written")
            found = replace(found, closings=(*found.closings, closing))
        if each is not None:
            names = file_names(found.name, (one.unit for one in found.statements))
            pages = {names[one.unit]: month_table(costs, found, now, one.unit) for one in found.statements}
            pages[f"{found.name}-index"] = index_table(found.name, query.by[0], found.statements, names)
            each.mkdir(parents=True, exist_ok=True)
            for name, page in pages.items():
                write_file(each / f"{name}.html", _page(page, now))
                write_file(each / f"{name}.csv", to_csv(page))
            return
        statements = month_table(costs, found, now)
    if chosen == "html":
        write_file(file, _page(statements, now))
    else:
        write_report(statements, chosen, file)


@app.command("close")
def close_month(
    month: Annotated[str, Argument(metavar="YYYY-MM", help="The month to close.")],
    *,
    tz: Tz = "UTC",
    tenant: OneTenant = None,
    comment: Note = "",
    as_json: AsJson = False,
) -> None:
    """Close a month: keep its statements as they are now.

    Usage that arrives or is priced later changes the ledger, not the statements: it is shown as amendments. Closing the
    month again takes the amendments in, as a closing of its own. The same as `outlay report chargeback --close`.

    Examples:

        outlay periods close 2026-10 --tz Europe/Berlin --note "agreed with finance"
    """
    chargeback(month=month, tz=tz, tenant=tenant, close=True, comment=comment, as_json=as_json)


@app.command("list")
def list_closed(tenant: OneTenant = None, as_json: AsJson = False) -> None:
    """List the closed months."""
    with open_clickhouse(tenant or "") as clickhouse:
        rows = clickhouse.rows(
            "SELECT tenant, period AS month, zone, seq, toString(total) AS usd, unpriced_events AS unpriced,"
            " toString(closed_at) AS closed, closed_by AS by, note FROM closed_periods FINAL"
            " WHERE {tenant:String} IN ('', tenant) ORDER BY tenant, period, zone, seq",
            {"tenant": tenant or ""},
        )
    print_rows(as_json, rows, "Closed months", "no month is closed yet")


def one_tenant(costs: CostReader, tenant: str | None) -> str:
    """Return the tenant, or the only one that has costs. Raises CommandError where there are several."""
    if tenant is not None:
        return tenant
    known = costs.tenants()
    if not known:
        raise CommandError("the ledger is empty", "send usage events first: outlay emit FILE")
    if len(known) > 1:
        hint = f"give --tenant, one of: {', '.join(known)}"
        raise CommandError("this is for one tenant, and there are several", hint)
    return known[0]


def _closing(month: ChargebackMonth, comment: str, now: datetime) -> Closing | None:
    """Return the closing to keep, None if the month is closed as it is: the command may be repeated."""
    zone, known = month.question.zone.key, month.closings
    if month.question.span.end > now:
        raise CommandError(f"{month.name} has not ended in {zone}", "close it when it has")
    if known and not amendments(known[-1].lines, month.lines):
        note(f"{month.name} is closed already, and nothing has changed since")
        return None
    return Closing(len(known) + 1, now, actor(), comment, month.lines)


def _keep(month: ChargebackMonth, closing: Closing) -> None:
    with open_clickhouse(write=True) as clickhouse:
        periods = ClosedPeriods(clickhouse, month.question.tenants[0])
        periods.add(month.name, month.question.zone.key, month.question.by[0], closing)


def _page(report: ReportTable, now: datetime) -> str:
    made = f"Made by Outlay, {now:%Y-%m-%d %H:%M} UTC"
    return html_page(report.title, f"Costs of AI use, in {report.currency}", [html_table(report)], made)
