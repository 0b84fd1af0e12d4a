"""How report commands ask for costs and write the answer."""

from collections.abc import Sequence
from pathlib import Path

from outlay.cli.errors import CommandError, unknown
from outlay.cli.options import format_for, write_file
from outlay.cli.output import SafeConsole, note, print_report
from outlay.cli.stores import published_or_none
from outlay.local.state import home_folder, keys_path
from outlay_kit.clock import SystemClock
from outlay_kit.keys import KeyFile
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.allocation import Allocation, active
from outlay_reports.budgets import BudgetPlan
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.summary import plans_of
from outlay_reports.periods import Unit
from outlay_reports.renderers import to_csv, to_json, to_markdown
from outlay_reports.report_api import parse_query
from outlay_reports.report_table import ReportTable
from outlay_reports.statements import allocate_query
from outlay_schemas.catalog import Split
from outlay_schemas.dimensions import LABELS, ROLLED

_TEXTS = {"csv": to_csv, "json": to_json, "markdown": to_markdown}


def cost_query(
    costs: CostReader,
    tz: str,
    where: Sequence[str] | None,
    tenants: Sequence[str] | None,
    *,
    by: str | None = None,
    start: str | None = None,
    end: str | None = None,
    unit: Unit | None = None,
    amount: str = "cost",
) -> CostQuery:
    """Return the query of a command's options. Raises QueryError, and CommandError for an unknown tenant or value."""
    query = parse_query(
        SystemClock().now(), by=by, start=start, end=end, tz=tz, where=where or (), tenants=tenants or (),
        unit=unit, amount=amount,
    )  # fmt: skip
    require_tenants(costs, query.tenants)
    for name, values in query.where.items():
        if name in ROLLED and any(values):
            _require_values(costs, query, name, values)
    return query


def require_tenants(costs: CostReader, tenants: Sequence[str]) -> None:
    """Raise CommandError for a tenant that has no costs, no dead letters and no key; without data, for none."""
    named = [tenant for tenant in tenants if tenant]
    known = costs.known_tenants() if named else set()
    for tenant in named:
        if known and tenant not in known and tenant not in _with_keys():
            raise unknown("tenant", tenant, sorted(known))


def _with_keys() -> set[str]:
    """Return the tenants that a key of the local system was made for; their first event may be on its way."""
    return {key.tenant for key in KeyFile(keys_path(home_folder())).all()}


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


def allocation(costs: CostReader, query: CostQuery, splits: list[Split] | None = None) -> Allocation:
    """Read a query's costs and allocate the shared ones by the catalog's splits. Raises Retryable."""
    return allocate_query(costs, query, splits_of(query) if splits is None else splits)


def budget_plans(costs: CostReader, tenants: Sequence[str]) -> list[BudgetPlan]:
    """Return the budgets of the catalog in force as some tenants have them; default: all tenants."""
    catalog = published_or_none()
    if catalog is None:
        return []
    named = {budget.tenant for budget in catalog.budgets} - {"*"}
    return plans_of(catalog.budgets, tenants or sorted({*costs.tenants(), *named}))


def write_report(
    report: ReportTable, form: str | None = None, as_json: bool = False, file: Path | None = None
) -> None:
    """Write a report to standard output or to a file. Raises CommandError."""
    form = format_for(("table", *_TEXTS), "json" if as_json else form, file, "table")
    if form != "table":
        write_file(file, _TEXTS[form](report))
    elif file is None:
        print_report(report)
    else:
        try:
            with file.open("w", encoding="utf-8") as page:
                print_report(report, SafeConsole(file=page, highlight=False))
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}", "give another file") from None
        note(f"written: {file}", "dim")


def draw_into(picture: Path, svg: str) -> None:
    """Write a chart to a file. Raises CommandError."""
    if picture.suffix.lower() != ".svg":
        raise CommandError(f"{picture}: charts are SVG", "give a name that ends in .svg")
    write_file(picture, svg)
