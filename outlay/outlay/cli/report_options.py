"""How commands put a question to the books, and write the answer."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import CommandError, SafeConsole, err, out

if TYPE_CHECKING:
    from outlay_reports.adapters.cost_reader import CostReader
    from outlay_reports.allocation import Allocation
    from outlay_reports.cost_query import CostQuery
    from outlay_reports.periods import Unit
    from outlay_reports.report_table import ReportTable
    from outlay_schemas.catalog import Split


class Format(StrEnum):
    """What a report is written as."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"


class AmountName(StrEnum):
    """Which amount a report is about."""

    cost = "cost"
    charged = "charged"


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
AmountOption = Annotated[
    AmountName,
    typer.Option(
        "--amount", help="What providers charge, or what internal customers are charged, with markups."
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="What to write.")]
AsJsonOption = Annotated[bool, typer.Option("--json", help="The same as --format json.")]
OutFile = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead.")]


@contextmanager
def reading() -> Iterator["CostReader"]:
    """Open the books of the system that is found, to read; tell what a report cannot answer."""
    from clickhouse_connect.driver.exceptions import DatabaseError

    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_reports.adapters.cost_reader import CostReader
    from outlay_reports.errors import QueryError

    try:
        _, settings = stores()
        clickhouse = ClickHouseClient(settings)
        try:
            yield CostReader(clickhouse)
        finally:
            clickhouse.close()
    except QueryError as error:
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
    amount: str = "cost",
) -> "CostQuery":
    """Put the options of a command together as a question. Raises QueryError."""
    from outlay_kit.clock import SystemClock
    from outlay_reports.report_api import QueryOptions, parse_query

    words = QueryOptions(by, start, end, tz, where or (), tenants or (), unit, amount)
    return parse_query(words, SystemClock().now())


def splits_of(question: "CostQuery") -> "list[Split]":
    """Return the splits of the catalog in force that hold at the start of a question's span. Raises Retryable."""
    from outlay.catalog.publish import newest
    from outlay.local import stores
    from outlay_reports.allocation import active

    catalog = newest(stores()[0])
    return active(catalog.splits if catalog else (), question.span.start)


def allocation(
    books: "CostReader", question: "CostQuery", splits: "list[Split] | None" = None
) -> "Allocation":
    """Read a question's costs and share those that the catalog's splits are about. Raises Retryable."""
    from outlay_reports.billing import allocate_query

    return allocate_query(books, question, splits_of(question) if splits is None else splits)


def write_report(sheet: "ReportTable", form: Format, as_json: bool, file: Path | None) -> None:
    """Write a sheet to the terminal or to a file."""
    from outlay.reports.terminal import to_terminal
    from outlay_reports.renderers import to_csv, to_json, to_markdown

    form = Format.json if as_json else form
    if form is Format.table:
        if file is None:
            to_terminal(sheet, out)
            return
        with file.open("w", encoding="utf-8") as page:
            to_terminal(sheet, SafeConsole(file=page, width=200, highlight=False))
    else:
        text = {Format.csv: to_csv, Format.json: to_json, Format.markdown: to_markdown}[form](sheet)
        if file is None:
            typer.echo(text, nl=False)
            return
        file.write_text(text, "utf-8")
    err.print(f"written: {file}", style="dim", markup=False)
