"""The command that charges costs back: statements for business units, and the close of a month."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import CommandError, err, friendly_errors
from outlay.cli.report_options import Format as TableFormat
from outlay.cli.report_options import Tz, reading, splits_of, write_report

if TYPE_CHECKING:
    from datetime import datetime

    from outlay_reports.adapters.cost_reader import CostReader
    from outlay_reports.billing import ChargebackMonth
    from outlay_reports.chargeback import Closing
    from outlay_reports.report_table import ReportTable


class Format(StrEnum):
    """What statements are written as."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    html = "html"


@friendly_errors
def chargeback(
    month: Annotated[str | None, typer.Option(metavar="YYYY-MM", help="Default: this month.")] = None,
    unit: Annotated[str, typer.Option("--by", metavar="DIM", help="Who pays.")] = "business_unit",
    lines: Annotated[str, typer.Option(metavar="DIM,DIM", help="What a line is.")] = "team,provider,model",
    tz: Tz = "UTC",
    tenant: Annotated[
        str | None, typer.Option(envvar="OUTLAY_TENANT", help="Whose costs; needed if several.")
    ] = None,
    close: Annotated[
        bool, typer.Option(help="Close the month: keep its statements as they are told now.")
    ] = False,
    note: Annotated[str, typer.Option(help="Kept with the closing.")] = "",
    form: Annotated[Format, typer.Option("--format", "-f", help="What to write.")] = Format.table,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")] = None,
    each: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A page and a CSV for each unit, with an index, in here."),
    ] = None,
) -> None:
    """Charge a month's costs back: a statement for each business unit, shared costs allocated by the catalog's splits.

    A closed month does not change any more: what arrives or is priced later is shown as amendments.

    Examples:

      outlay report chargeback

      outlay report chargeback --month 2026-10 --tz Europe/Berlin --close --note "agreed with finance"

      outlay report chargeback --month 2026-10 --each statements/
    """
    from dataclasses import replace

    from outlay_kit.clock import SystemClock
    from outlay_reports.billing import ChargebackOptions, month_table, parse_chargeback_query, read_month
    from outlay_reports.statement_files import file_names, index_table

    now = SystemClock().now()
    with reading() as books:
        question = parse_chargeback_query(
            ChargebackOptions(month, unit, lines, tz), _one_tenant(books, tenant), now
        )
        found = read_month(books, question, splits_of(question))
        if close:
            found = replace(found, closings=(*found.closings, _close(found, note, now)))
        if each is not None:
            names = file_names(found.name, (one.unit for one in found.statements))
            for one in found.statements:
                _write_pair(each / names[one.unit], month_table(books, found, now, one.unit), now)
            index = index_table(found.name, question.by[0], found.statements, names)
            _write_pair(each / f"{found.name}-index", index, now)
            return
        sheet = month_table(books, found, now)
        if form is Format.html and not as_json:
            _write_page(file, sheet, now)
        else:
            write_report(
                sheet, TableFormat.table if form is Format.html else TableFormat(form.value), as_json, file
            )


def _one_tenant(books: "CostReader", tenant: str | None) -> str:
    if tenant is not None:
        return tenant
    known = books.tenants()
    if len(known) == 1:
        return known[0]
    if not known:
        raise CommandError("the books are empty", "send usage events first: outlay emit FILE")
    raise CommandError(
        "statements are for one tenant, and there are several", f"give --tenant, one of {', '.join(known)}"
    )


def _close(month: "ChargebackMonth", note: str, now: "datetime") -> "Closing":
    """Close a month, or take its amendments in by closing it again."""
    import getpass

    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_reports.adapters.closed_periods import ClosedPeriods
    from outlay_reports.chargeback import Closing, amendments

    zone, known = month.question.zone.key, month.closings
    if month.question.span.end > now:
        raise CommandError(f"{month.name} is not over in {zone}", "close it when it is")
    if known and not amendments(known[-1].lines, month.lines):
        raise CommandError(
            f"{month.name} is closed already, and nothing has changed since", "there is nothing to do"
        )
    closing = Closing(len(known) + 1, now, getpass.getuser(), note, month.lines)
    clickhouse = ClickHouseClient(stores(write=True)[1])
    try:
        ClosedPeriods(clickhouse, month.question.tenants[0]).add(
            month.name, zone, month.question.by[0], closing
        )
    finally:
        clickhouse.close()
    return closing


def _page(sheet: "ReportTable", now: "datetime") -> str:
    from outlay_reports.html import html_page, html_table

    return html_page(
        sheet.title,
        "Costs of AI use, in USD",
        [html_table(sheet)],
        f"Made by Outlay, {now:%Y-%m-%d %H:%M} UTC",
    )


def _write_page(file: Path | None, sheet: "ReportTable", now: "datetime") -> None:
    if file is None:
        typer.echo(_page(sheet, now), nl=False)
        return
    file.write_text(_page(sheet, now), "utf-8")
    err.print(f"written: {file}", style="dim", markup=False)


def _write_pair(path: Path, sheet: "ReportTable", now: "datetime") -> None:
    """Write a sheet as a page and as CSV, beside each other; `path` has no suffix yet."""
    from outlay_reports.renderers import to_csv

    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix, text in ((".html", _page(sheet, now)), (".csv", to_csv(sheet))):
        file = path.with_name(f"{path.name}{suffix}")
        file.write_text(text, "utf-8")
        err.print(f"written: {file}", style="dim", markup=False)
