"""Commands that tell who spent what, and why."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from pathlib import Path
from typing import Annotated

import typer

from outlay.cli.common import err, friendly_errors, out
from outlay.cli.report_options import (
    AmountName,
    AmountOption,
    AsJsonOption,
    By,
    Format,
    FormatOption,
    From,
    OutFile,
    Tenant,
    TimeUnit,
    To,
    Tz,
    Where,
    allocation,
    ask,
    reading,
    write_report,
)

app = typer.Typer(
    name="report",
    no_args_is_help=True,
    help="Who spent what, why, and how it moves. Exact, in any time zone; what has no owner or no price is shown.",
)


@app.command()
@friendly_errors
def showback(
    by: By = "team",
    start: From = None,
    end: To = None,
    tz: Tz = "UTC",
    where: Where = None,
    tenant: Tenant = None,
    amount: AmountOption = AmountName.cost,
    units: Annotated[
        bool, typer.Option(help="Also $ per event, user and 1,000 tokens, and what prompt caching saved.")
    ] = False,
    allocate: Annotated[
        bool, typer.Option(help="Share what is nobody's own, by the catalog's splits.")
    ] = False,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Show who spent what: a tree of dimensions with shares; what is nobody's or has no price is shown too.

    Examples:

      outlay report showback

      outlay report showback --by business_unit,team,model --from 2026-11 --tz Europe/Berlin

      outlay report showback --by user --where team=growth --units

      outlay report showback --by business_unit --allocate
    """
    from outlay_reports.allocated_showback import allocated_table
    from outlay_reports.report_api import showback as answer

    with reading() as books:
        question = ask(by, start, end, tz, where, tenant, amount=amount.value)
        if allocate:
            write_report(allocated_table(question, allocation(books, question)), form, as_json, file)
            return
        write_report(answer(books, question, units=units), form, as_json, file)


@app.command()
@friendly_errors
def top(
    by: By = "model",
    start: From = None,
    end: To = None,
    tz: Tz = "UTC",
    where: Where = None,
    tenant: Tenant = None,
    amount: AmountOption = AmountName.cost,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 10,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Show the most expensive models, users, tags, or any combination, with everything else as one row.

    Examples:

      outlay report top

      outlay report top --by user,model --limit 20 --from 7d
    """
    from outlay_reports.report_api import top as answer

    with reading() as books:
        write_report(
            answer(books, ask(by, start, end, tz, where, tenant, amount=amount.value), limit),
            form,
            as_json,
            file,
        )


@app.command()
@friendly_errors
def trend(
    by: By = None,
    start: From = None,
    end: To = None,
    tz: Tz = "UTC",
    where: Where = None,
    tenant: Tenant = None,
    amount: AmountOption = AmountName.cost,
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
    from outlay.reports.plots import draw
    from outlay_kit.clock import SystemClock
    from outlay_reports.report_builders import trend_columns, trend_table
    from outlay_reports.svg_chart import trend_svg
    from outlay_reports.trend import trend as trend_of

    with reading() as books:
        question = ask(by, start, end, tz, where, tenant, unit.value, amount.value)
        cells = books.cells(question)
        found = trend_of(question, cells, SystemClock().now())
        sheet = trend_table(question, found, cells)
        if picture is not None:
            picture.write_text(trend_svg(sheet.title, question, found), "utf-8")
            err.print(f"drawn: {picture}", style="dim", markup=False)
        if plot and form is Format.table and not as_json and file is None and sheet.rows:
            draw(question, found, out)
        people = form in (Format.table, Format.markdown) and not as_json
        write_report(trend_columns(question, found, sheet) if people else sheet, form, as_json, file)


@app.command()
@friendly_errors
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
    amount: AmountOption = AmountName.cost,
    form: FormatOption = Format.table,
    as_json: AsJsonOption = False,
    file: OutFile = None,
) -> None:
    """Show why a period cost more than the one before: price, volume and mix, new and gone, which add up exactly.

    Examples:

      outlay report compare --from 2026-11

      outlay report compare --by team,model --from 7d --against 2026-11-01..2026-11-07
    """
    from outlay_kit.clock import SystemClock
    from outlay_reports.report_api import comparison

    with reading() as books:
        later = ask(by, start, end, tz, where, tenant, amount=amount.value)
        write_report(comparison(books, later, against, SystemClock().now()), form, as_json, file)
