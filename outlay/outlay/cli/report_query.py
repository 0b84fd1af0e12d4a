"""How report commands ask for costs and write the answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Annotated

from typer import Option

from outlay.cli.options import (
    CurrencyCode,
    Format,
    FormatJson,
    From,
    OutFile,
    Tenants,
    To,
    Tz,
    format_for,
    write_file,
)
from outlay.cli.output import CommandError, SafeConsole, print_report, unknown
from outlay.cli.stores import published_or_none, require_tenants
from outlay_kit.clock import SystemClock
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.allocation import active
from outlay_reports.budgets import BudgetPlan
from outlay_reports.cost_query import Amount, CostQuery, parse_currency
from outlay_reports.forecast.summary import plans_of
from outlay_reports.periods import Unit
from outlay_reports.renderers import to_csv, to_json, to_markdown
from outlay_reports.report_api import parse_query
from outlay_reports.report_table import ReportTable
from outlay_schemas.catalog import Split
from outlay_schemas.currency import USD, Currency
from outlay_schemas.dimensions import LABELS, ROLLED

_TEXTS = {"csv": to_csv, "json": to_json, "markdown": to_markdown}


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Options that say whose costs are meant, and in which time zone."""

    tz: Tz = "UTC"
    where: Annotated[
        list[str] | None,
        Option(
            metavar="DIM=VALUE",
            help="Only costs with this value; repeat to combine. team= matches unassigned spend.",
        ),
    ] = None
    tenant: Tenants = None


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Options that say which costs are meant."""

    start: From = None
    end: To = None
    scope: Scope
    amount: Annotated[
        Amount,
        Option(help="cost: what providers charge. charged: what internal customers pay, with markups."),
    ] = "cost"
    currency: CurrencyCode = "USD"


def currency_of(code: str) -> Currency:
    """Return a currency with the rates of the catalog in force. Raises QueryError without a rate, and Retryable."""
    catalog = None if code.strip().upper() == USD.code else published_or_none()
    return parse_currency(code, catalog.fx if catalog else ())


def cost_query(costs: CostReader, asked: Costs, by: str | None = None, unit: Unit | None = None) -> CostQuery:
    """Return the query of a command's options. Raises QueryError, and CommandError for an unknown tenant or value."""
    query = parse_query(
        SystemClock().now(), by=by, start=asked.start, end=asked.end, tz=asked.scope.tz,
        where=asked.scope.where or (), tenants=asked.scope.tenant or (), unit=unit, amount=asked.amount,
        currency=currency_of(asked.currency),
    )  # fmt: skip
    require_tenants(costs, query.tenants)
    for name, values in query.where.items():
        if name in ROLLED and any(values):
            _require_values(costs, query, name, values)
    return query


def _require_values(costs: CostReader, query: CostQuery, name: str, values: Sequence[str]) -> None:
    span = costs.extent(query.tenants)
    if span is None:
        return
    cells = costs.cells(CostQuery(span, query.zone, (name,), {}, query.tenants))
    known = sorted({cell.keys[0] for cell in cells} - {""})
    for value in values:
        if value and value not in known:
            raise unknown(LABELS[name].lower(), value, known)


def splits_of(query: CostQuery) -> list[Split]:
    """Return the splits of the catalog in force at the start of a query's time range. Raises Retryable."""
    catalog = published_or_none()
    return active(catalog.splits if catalog else (), query.span.start)


def budget_plans(costs: CostReader, tenants: Sequence[str]) -> list[BudgetPlan]:
    """Return the budgets of the catalog in force as some tenants have them; default: all tenants."""
    catalog = published_or_none()
    if catalog is None:
        return []
    named = {budget.tenant for budget in catalog.budgets} - {"*"}
    return plans_of(catalog.budgets, tenants or sorted({*costs.tenants(), *named}), catalog.fx)


@dataclass(frozen=True, kw_only=True)
class Output:
    """Options that say how a report is written, and where."""

    form: Annotated[
        Format | None,
        Option(
            "--format", "-f", help="Default: by the ending of --output, else a table.", show_default=False
        ),
    ] = None
    as_json: FormatJson = False
    file: OutFile = None

    @property
    def format(self) -> str:
        """The format that was asked for. Raises CommandError."""
        return format_for(("table", *_TEXTS), "json" if self.as_json else self.form, self.file, "table")

    def write(self, report: ReportTable) -> None:
        """Write a report to standard output or to a file. Raises CommandError."""
        write_report(report, self.format, self.file)


def write_report(report: ReportTable, form: str, file: Path | None) -> None:
    """Write a report as one of the formats of `Output`. Raises CommandError."""
    if form != "table":
        write_file(file, _TEXTS[form](report))
    elif file is None:
        print_report(report)
    else:
        page = StringIO()
        print_report(report, SafeConsole(file=page, highlight=False))
        write_file(file, page.getvalue())


def draw_into(picture: Path, svg: str) -> None:
    """Write a chart to a file. Raises CommandError."""
    if picture.suffix.lower() != ".svg":
        raise CommandError(f"{picture}: charts are SVG", "give a name that ends in .svg")
    write_file(picture, svg)
