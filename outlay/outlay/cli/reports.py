"""Commands that tell who spent what, and why."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import CommandError, err, out, told

if TYPE_CHECKING:
    from outlay_reports.adapters.books import Books
    from outlay_reports.periods import Unit
    from outlay_reports.question import Question
    from outlay_reports.sheet import Sheet

app = typer.Typer(
    name="report",
    no_args_is_help=True,
    help="Who spent what, why, and how it moves. Exact, in any time zone; what has no owner or no price is shown.",
)


class Format(StrEnum):
    """What a report is written as."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"


class TimeUnit(StrEnum):
    """Into which pieces time is cut."""

    hour = "hour"
    day = "day"
    week = "week"
    month = "month"
    quarter = "quarter"
    year = "year"


By = Annotated[
    str | None,
    typer.Option(
        "--by", metavar="DIM,DIM", help="Dimensions, the widest first: business_unit,team,user, tags.env …"
    ),
]
From = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="TIME",
        help="2026-11-01, 2026-11, an instant, or 36h, 7d, 4w ago. Default: this month.",
    ),
]
To = Annotated[
    str | None, typer.Option("--to", metavar="TIME", help="A day or month is included. Default: now.")
]
Tz = Annotated[
    str, typer.Option("--tz", envvar="OUTLAY_TZ", help="Time zone in which days and months begin.")
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        "--where", metavar="DIM=VALUE", help="Only this, to drill down; repeat for more. team= is nobody's."
    ),
]
Tenant = Annotated[
    list[str] | None, typer.Option("--tenant", envvar="OUTLAY_TENANT", help="Whose costs. Default: of all.")
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="What to write.")]
AsJsonOption = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
OutFile = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")]


@contextmanager
def reading() -> Iterator["Books"]:
    """Open the books of the system that is found, to read; tell what a report cannot answer."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    from outlay.local import stores
    from outlay_kit.warehouse import Warehouse
    from outlay_reports.adapters.books import Books
    from outlay_reports.errors import AskError

    try:
        _, settings = stores()
        warehouse = Warehouse(settings)
        try:
            yield Books(warehouse)
        finally:
            warehouse.close()
    except AskError as error:
        raise CommandError(str(error), error.hint) from error
    except DatabaseError as error:
        raise CommandError(str(error).strip(), "is the database set up? see: outlay doctor") from error


def ask(
    by: str | None,
    start: str | None,
    end: str | None,
    tz: str,
    where: list[str] | None,
    tenants: list[str] | None,
    unit: "Unit | None" = None,
) -> "Question":
    """Put the options of a command together as a question. Raises AskError."""
    from outlay_kit.clock import SystemClock
    from outlay_reports.periods import read_span, zone_of
    from outlay_reports.question import Question, conditions, dimensions

    zone = zone_of(tz)
    span = read_span(start, end, zone, SystemClock().now())
    return Question(span, zone, dimensions(by), conditions(where or []), tuple(tenants or ()), unit)


def give(sheet: "Sheet", form: Format, as_json: bool, file: Path | None) -> None:
    """Write a sheet to the terminal or to a file."""
    from rich.console import Console

    from outlay.reports.write import to_csv, to_json, to_markdown, to_terminal

    form = Format.json if as_json else form
    if form is Format.table:
        if file is None:
            to_terminal(sheet, out)
            return
        with file.open("w", encoding="utf-8") as page:
            to_terminal(sheet, Console(file=page, width=200, highlight=False))
    else:
        text = {Format.csv: to_csv, Format.json: to_json, Format.markdown: to_markdown}[form](sheet)
        if file is None:
            typer.echo(text, nl=False)
            return
        file.write_text(text, "utf-8")
    err.print(f"written: {file}", style="dim", markup=False)


@app.command()
@told
def showback(
    by: By = "team",
    start: From = None,
    end: To = None,
    tz: Tz = "UTC",
    where: Where = None,
    tenant: Tenant = None,
    units: Annotated[bool, typer.Option(help="Also $ per event, per user and per 1,000 tokens.")] = False,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Show who spent what: a tree of dimensions with shares; what is nobody's or has no price is shown too.

    Examples:

      outlay report showback

      outlay report showback --by business_unit,team,model --from 2026-11 --tz Europe/Berlin

      outlay report showback --by user --where team=growth --units
    """
    from outlay_reports.sheets import showback_sheet

    with reading() as books:
        question = ask(by, start, end, tz, where, tenant)
        cells = books.cells(question)
        users = []
        if units:
            from dataclasses import replace

            users = [books.users(replace(question, by=question.by[:n])) for n in range(len(question.by) + 1)]
        give(showback_sheet(question, cells, users), form, as_json, file)


@app.command()
@told
def top(
    by: By = "model",
    start: From = None,
    end: To = None,
    tz: Tz = "UTC",
    where: Where = None,
    tenant: Tenant = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 10,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Show the dearest: models, users, tags, or any combination; the rest is summed in a last row.

    Examples:

      outlay report top

      outlay report top --by user,model --limit 20 --from 7d
    """
    from outlay_reports.sheets import top_sheet

    with reading() as books:
        question = ask(by, start, end, tz, where, tenant)
        give(top_sheet(question, books.cells(question), limit), form, as_json, file)


@app.command()
@told
def trend(
    by: By = None,
    start: From = None,
    end: To = None,
    tz: Tz = "UTC",
    where: Where = None,
    tenant: Tenant = None,
    unit: Annotated[TimeUnit, typer.Option(help="Into which pieces time is cut.")] = TimeUnit.day,
    plot: Annotated[bool, typer.Option(help="Draw it, where a person looks.")] = True,
    picture: Annotated[Path | None, typer.Option(help="Also draw it into this file, .svg.")] = None,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Show what was spent over time, with its growth, as a plot and a table.

    Examples:

      outlay report trend --from 30d

      outlay report trend --by team --unit hour --from today --picture trend.svg
    """
    from outlay.reports.plots import draw, svg
    from outlay_kit.clock import SystemClock
    from outlay_reports.sheets import trend_columns, trend_sheet
    from outlay_reports.trend import trend as trend_of

    with reading() as books:
        question = ask(by, start, end, tz, where, tenant, unit.value)
        cells = books.cells(question)
        found = trend_of(question, cells, SystemClock().now())
        sheet = trend_sheet(question, found, cells)
        if picture is not None:
            picture.write_text(svg(sheet.title, question, found), "utf-8")
            err.print(f"drawn: {picture}", style="dim", markup=False)
        if plot and form is Format.table and not as_json and file is None and sheet.rows:
            draw(question, found, out)
        people = form in (Format.table, Format.markdown) and not as_json
        give(trend_columns(question, found, sheet) if people else sheet, form, as_json, file)


@app.command()
@told
def compare(
    by: By = "team",
    start: From = None,
    end: To = None,
    tz: Tz = "UTC",
    against: Annotated[
        str | None, typer.Option(metavar="FROM..TO", help="The earlier period. Default: the one just before.")
    ] = None,
    where: Where = None,
    tenant: Tenant = None,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Show why a period cost more than the one before: price, volume and mix, new and gone, which add up exactly.

    Examples:

      outlay report compare --from 2026-11

      outlay report compare --by team,model --from 7d --against 2026-11-01..2026-11-07
    """
    from dataclasses import replace

    from outlay_kit.clock import SystemClock
    from outlay_reports.compare import THING
    from outlay_reports.compare import compare as compare_of
    from outlay_reports.periods import before, read_span
    from outlay_reports.sheets import compare_sheet

    with reading() as books:
        later = ask(by, start, end, tz, where, tenant)
        if against is None:
            span = before(later.span, later.zone)
        else:
            first, _, last = against.partition("..")
            span = read_span(first or None, last or None, later.zone, SystemClock().now())
        earlier = replace(later, span=span)
        deep = (*later.by, *THING)
        old = books.cells(replace(earlier, by=deep))
        new = books.cells(replace(later, by=deep))
        found = compare_of(old, new, len(later.by))
        give(compare_sheet(earlier, later, found, new), form, as_json, file)
