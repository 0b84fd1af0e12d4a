"""Commands that show who spent what, and why; and SQL on the same data."""

import json
import re
from dataclasses import replace
from difflib import get_close_matches
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer
from clickhouse_connect.driver.exceptions import DatabaseError
from typer import Argument, Option

from outlay.cli import chargeback
from outlay.cli.help import App
from outlay.cli.options import AsJson, By, CurrencyCode, Picture
from outlay.cli.output import CommandError, line, out, print_report, print_rows
from outlay.cli.report_query import Costs, Output, Scope, cost_query, draw_into, splits_of
from outlay.cli.stores import open_clickhouse, open_costs
from outlay.reports.patterns import find_patterns, pattern_picture, pattern_tables
from outlay.reports.plots import draw
from outlay_kit.clock import SystemClock
from outlay_kit.time_ranges import period_of
from outlay_reports import report_api
from outlay_reports.renderers import to_json
from outlay_reports.showback import allocated_table
from outlay_reports.statements import allocate_query
from outlay_reports.svg_chart import trend_svg
from outlay_reports.trend import trend as trend_of
from outlay_reports.trend import trend_columns, trend_table
from outlay_schemas.dimensions import ALIASES, LABELS

app = App("report", "Show who spent what, why, and how it changes.")
app.command()(chargeback.chargeback)


@app.command()
def showback(
    *,
    by: By = "team",
    asked: Costs,
    units: Annotated[bool, Option("--units", help="Add $ per event, user and 1,000 tokens.")] = False,
    allocate: Annotated[bool, Option("--allocate", help="Allocate shared costs by splits.")] = False,
    to: Output,
) -> None:
    """Show who spent what: a tree of dimensions with shares, with unassigned and unpriced usage.

    Examples:

        outlay report showback
        outlay report showback --by business_unit,team,model --from 2026-11 --tz Europe/Berlin
        outlay report showback --by user --where team=growth --units
        outlay report showback --by business_unit --allocate
        outlay report showback --currency EUR
    """
    with open_costs() as costs:
        query = cost_query(costs, asked, by)
        if allocate:
            report = allocated_table(query, allocate_query(costs, query, splits_of(query)))
        else:
            report = report_api.showback(costs, query, units=units)
    to.write(report)


@app.command()
def top(
    *,
    by: By = "model",
    asked: Costs,
    limit: Annotated[int, Option(min=1, max=10_000, help="Number of rows.")] = 10,
    to: Output,
) -> None:
    """Show the most expensive models, users, tags, or any combination, with everything else as one row.

    Examples:

        outlay report top
        outlay report top --by user,model --limit 20 --from 7d
    """
    with open_costs() as costs:
        query = cost_query(costs, asked, by)
        to.write(report_api.top(costs, query, limit))


@app.command()
def trend(
    *,
    by: By = None,
    asked: Costs,
    unit: Annotated[
        Literal["hour", "day", "week", "month", "quarter", "year"], Option(help="Length of each period.")
    ] = "day",
    plot: Annotated[bool, Option("--plot/--no-plot", help="Draw a chart above the table.")] = True,
    picture: Picture = None,
    to: Output,
) -> None:
    """Show spend over time with its growth, as a chart and a table.

    Examples:

        outlay report trend --from 30d
        outlay report trend --by team --unit hour --from today --picture trend.svg
    """
    chosen = to.format
    with open_costs() as costs:
        query = cost_query(costs, asked, by, unit)
        cells = costs.cells(query)
    found = trend_of(query, cells, SystemClock().now())
    report = trend_table(query, found, cells)
    if picture is not None:
        draw_into(picture, trend_svg(report.title, query, found))
    if plot and chosen == "table" and to.file is None and report.rows:
        draw(query, found, out)
    if chosen in ("table", "markdown"):
        report = trend_columns(query, found, report)
    to.write(report)


@app.command()
def compare(
    *,
    by: By = "team",
    asked: Costs,
    against: Annotated[
        str | None, Option(metavar="FROM..TO", help="Default: the period just before.")
    ] = None,
    to: Output,
) -> None:
    """Show why a period cost more than the one before: price, volume, mix, new and gone usage, which add up exactly.

    Examples:

        outlay report compare --from 2026-11
        outlay report compare --by team,model --from 7d --against 2026-11-01..2026-11-07
    """
    with open_costs() as costs:
        later = cost_query(costs, asked, by)
        report = report_api.comparison(costs, later, against, SystemClock().now())
    to.write(report)


@app.command()
def patterns(
    *, scope: Scope, currency: CurrencyCode = "USD", picture: Picture = None, as_json: AsJson = False
) -> None:
    """Show growth, weekly and daily patterns, level shifts, and who caused them.

    Examples:

        outlay report patterns --tz Europe/Berlin
        outlay report patterns --where team=growth --picture growth.svg
    """
    now = SystemClock().now()
    with open_costs() as costs:
        query = cost_query(costs, Costs(scope=scope, currency=currency))
        query = replace(query, span=period_of(now, "month", ZoneInfo("UTC")))
        found = find_patterns(costs, query, now)
        reports = pattern_tables(costs, query, found) if found else []
    if picture is not None and found:
        draw_into(picture, pattern_picture("Spending patterns", query, found))
    if as_json:
        typer.echo(json.dumps({report.name: json.loads(to_json(report)) for report in reports}))
        return
    if not reports:
        line("no complete day of history yet", "dim")
    for report in reports:
        print_report(report)
        out.print()


def query(
    sql: Annotated[str, Argument(help="A SELECT on one of these views.")], as_json: AsJson = False
) -> None:
    """Run SQL on your cost data: the views costs, costs_minutely, costs_hourly and costs_daily.

    Examples:

        outlay query "SELECT team, sum(cost) FROM costs_daily GROUP BY team"
        outlay query "SELECT * FROM costs WHERE unpriced LIMIT 5" --json
    """
    with open_clickhouse() as clickhouse:
        try:
            rows = clickhouse.rows(sql)
        except DatabaseError as error:
            raise CommandError(str(error).strip(), _sql_hint(str(error))) from error
    print_rows(as_json, rows, "", "no rows")


def _sql_hint(message: str) -> str:
    columns = 'list the columns: outlay query "DESCRIBE costs"'
    found = re.search(r"identifier [`']?(\w+)", message)
    if found is None:
        return columns
    name = found[1]
    near = ALIASES.get(name) or next(iter(get_close_matches(name, LABELS, 1)), "")
    return f'did you mean "{near}"? To {columns}' if near else columns
