"""The command that charges costs back: statements for business units, and the close of a month."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.asking import Format as TableFormat
from outlay.cli.asking import Tz, allocation, give, reading
from outlay.cli.common import CommandError, err, told

if TYPE_CHECKING:
    from datetime import datetime

    from outlay_reports.adapters.books import Books
    from outlay_reports.chargeback import Closing, Line
    from outlay_reports.question import Question
    from outlay_reports.sheet import Sheet


class Format(StrEnum):
    """What statements are written as."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    html = "html"


@told
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
        Path | None, typer.Option(metavar="DIR", help="A page and a CSV for each unit, in here.")
    ] = None,
) -> None:
    """Charge a month's costs back: a statement for each business unit, shared costs allocated by the catalog's splits.

    A closed month does not change any more: what arrives or is priced later is shown as amendments.

    Examples:

      outlay report chargeback

      outlay report chargeback --month 2026-10 --tz Europe/Berlin --close --note "agreed with finance"

      outlay report chargeback --month 2026-10 --each statements/
    """
    from outlay_kit.clock import SystemClock
    from outlay_reports.chargeback import statements
    from outlay_reports.statement_sheets import chargeback_sheet, state_of

    now = SystemClock().now()
    with reading() as books:
        whose = _one_tenant(books, tenant)
        question = _question(month, tz, unit, lines, whose, now)
        name = f"{question.span.start.astimezone(question.zone):%Y-%m}"
        current = _lines(books, question)
        known = _closings(whose, name, question.zone.key)
        if close:
            _same_lines(known[-1] if known else None, question)
            known.append(_close(whose, name, question, current, known, note, now))
        closing = known[-1] if known else None
        _same_lines(closing, question)
        found = statements(current, closing)
        state = state_of(closing, question.span.end, now) + _elsewhere(books, question, name)

        def sheet(only: str | None = None) -> "Sheet":
            some = [one for one in found if only is None or one.unit == only]
            return chargeback_sheet(name, question.zone.key, question.by, some, state)

        if each is not None:
            for one in found:
                _write_pair(each, name, one.unit, sheet(one.unit), now)
        elif form is Format.html and not as_json:
            _write_page(file, sheet(), now)
        else:
            give(
                sheet(), TableFormat.table if form is Format.html else TableFormat(form.value), as_json, file
            )


def _one_tenant(books: "Books", tenant: str | None) -> str:
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


def _question(month: str | None, tz: str, unit: str, lines: str, tenant: str, now: "datetime") -> "Question":
    from outlay_kit.spans import period_of
    from outlay_reports.periods import read_span, zone_of
    from outlay_reports.question import Question, dimensions

    zone = zone_of(tz)
    if month is None:
        span = period_of(now, "month", zone)
    elif len(month) == 7:
        span = read_span(month, month, zone, now)
    else:
        raise CommandError(f"{month!r} is no month", "give it as 2026-11")
    return Question(span, zone, dimensions(f"{unit},{lines}"), {}, (tenant,))


def _lines(books: "Books", question: "Question") -> tuple["Line", ...]:
    from outlay_reports.chargeback import lines_of

    return lines_of(allocation(books, question))


def _closings(tenant: str, month: str, zone: str) -> list["Closing"]:
    from outlay.local import stores
    from outlay_kit.warehouse import Warehouse
    from outlay_reports.adapters.closings import Closings

    warehouse = Warehouse(stores()[1])
    try:
        return Closings(warehouse, tenant).read(month, zone)
    finally:
        warehouse.close()


def _same_lines(closing: "Closing | None", question: "Question") -> None:
    """Refuse to hold a closing against lines that are cut otherwise: all of it would look amended."""
    kept = {len(line.keys) for line in closing.lines if line.what == "own"} if closing else set()
    if kept and kept != {len(question.by) - 1}:
        raise CommandError(
            f"the month was closed with lines of {kept.pop()} dimensions, and these have {len(question.by) - 1}",
            "give the --by and --lines that it was closed with",
        )


def _elsewhere(books: "Books", question: "Question", month: str) -> str:
    """Say where else the month is closed: a month begins and ends elsewhen in another zone."""
    zones = {one.zone for one in books.closed(question) if one.period == month} - {question.zone.key}
    return f"; it is closed in {', '.join(sorted(zones))}: see --tz" if zones else ""


def _close(
    tenant: str,
    month: str,
    question: "Question",
    lines: tuple["Line", ...],
    known: list["Closing"],
    note: str,
    now: "datetime",
) -> "Closing":
    """Close a month, or take its amendments in by closing it again."""
    import getpass

    from outlay.local import stores
    from outlay_kit.warehouse import Warehouse
    from outlay_reports.adapters.closings import Closings
    from outlay_reports.chargeback import Closing, amendments

    if question.span.end > now:
        raise CommandError(f"{month} is not over in {question.zone.key}", "close it when it is")
    if known and not amendments(known[-1].lines, lines):
        raise CommandError(
            f"{month} is closed already, and nothing has changed since", "there is nothing to do"
        )
    closing = Closing(len(known) + 1, now, getpass.getuser(), note, lines)
    warehouse = Warehouse(stores(write=True)[1])
    try:
        Closings(warehouse, tenant).add(month, question.zone.key, closing)
    finally:
        warehouse.close()
    return closing


def _page(sheet: "Sheet", now: "datetime") -> str:
    from outlay_reports.html import page, table

    return page(
        sheet.title, "Costs of AI use, in USD", [table(sheet)], f"Made by Outlay, {now:%Y-%m-%d %H:%M} UTC"
    )


def _write_page(file: Path | None, sheet: "Sheet", now: "datetime") -> None:
    if file is None:
        typer.echo(_page(sheet, now), nl=False)
        return
    file.write_text(_page(sheet, now), "utf-8")
    err.print(f"written: {file}", style="dim", markup=False)


def _write_pair(folder: Path, month: str, unit: str, sheet: "Sheet", now: "datetime") -> None:
    """Write a unit's page and CSV; the name of the unit is made fit for a file."""
    from outlay_reports.write import to_csv

    folder.mkdir(parents=True, exist_ok=True)
    safe = "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in unit) or "unattributed"
    for suffix, text in ((".html", _page(sheet, now)), (".csv", to_csv(sheet))):
        path = folder / f"{month}-{safe}{suffix}"
        path.write_text(text, "utf-8")
        err.print(f"written: {path}", style="dim", markup=False)
