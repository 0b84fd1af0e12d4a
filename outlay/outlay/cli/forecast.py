"""The command that says what comes next."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import CommandError, err, friendly_errors, out
from outlay.cli.report_options import AsJsonOption as AsJson
from outlay.cli.report_options import By, Format, Tenant, Tz, Where, reading, write_report

if TYPE_CHECKING:
    from datetime import datetime

    from outlay_reports.adapters.cost_reader import CostReader
    from outlay_reports.cost_query import CostQuery
    from outlay_reports.forecast.series import Series
    from outlay_reports.forecast.whatif import ModelSwap
    from outlay_reports.periods import Unit

_UNITS: dict[str, "Unit"] = {"h": "hour", "d": "day", "w": "week", "m": "month", "ms": "month"}


@friendly_errors
def forecast(
    series: Annotated[
        str | None,
        typer.Option(metavar="FILE.csv|-", help="Forecast this file: timestamp,value and maybe series."),
    ] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, max=20_000, help="How many values. Default: 90; of hours 168.")
    ] = None,
    freq: Annotated[str | None, typer.Option(help="How far values are apart: h, D, W, MS.")] = None,
    by: By = None,
    totals: Annotated[
        bool, typer.Option(help="With --by: also all together, as the sum of the parts.")
    ] = False,
    meter: Annotated[
        str, typer.Option(help="Forecast the use of a meter, such as output_tokens, not the cost.")
    ] = "",
    full: Annotated[
        float | None, typer.Option(help="With --meter: when does its daily use reach this?")
    ] = None,
    gpus: Annotated[
        int | None, typer.Option(min=1, help="When is a reservation of so many GPUs full, by gpu_seconds?")
    ] = None,
    what_if: Annotated[
        list[str] | None,
        typer.Option(metavar="CHANGE", help="price=-20%, growth=+5% (a month), MODEL>OTHER=50%."),
    ] = None,
    summary: Annotated[
        bool | None,
        typer.Option(help="Landing of the month and budgets, for people. Default: where one looks."),
    ] = None,
    tz: Tz = "UTC",
    where: Where = None,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Forecast costs with intervals that were tested on the past: NDJSON, one value a line.

    At a terminal and without a file: where this month lands, and how likely it breaks each budget.

    Examples:

      outlay forecast

      outlay forecast --series usage.csv --horizon 72 --freq h

      outlay forecast --by team,model --horizon 30 --totals > forecast.ndjson

      outlay forecast --what-if "claude-opus-4-1>claude-sonnet-4-5=50%" --summary

      outlay forecast --gpus 8

      outlay forecast --meter output_tokens --full 5e8
    """
    from outlay_reports.errors import QueryError

    if series is not None:
        try:
            _write(_of_file(series, horizon, freq))
        except QueryError as error:
            raise CommandError(str(error), error.hint) from error
        return
    from outlay_kit.clock import SystemClock
    from outlay_reports.forecast.whatif import parse_model_swap

    with reading() as books:
        now = SystemClock().now()
        question = _question(by, tz, where, tenant, freq, now)
        changes = [parse_model_swap(text) for text in what_if or []]
        if full is not None or gpus is not None:
            _full(books, question, meter, full, gpus, now, as_json=as_json)
        elif summary or (summary is None and out.is_terminal and horizon is None and not meter):
            _summary(books, question, changes, now, as_json=as_json)
        else:
            _write(_of_books(books, question, horizon, meter, changes, now, totals=totals))


def _write(lines: "Iterable[dict[str, str | float]]") -> None:
    import json

    for line in lines:
        typer.echo(json.dumps(line, ensure_ascii=False))


def _of_file(file: str, horizon: int | None, freq: str | None) -> "Iterable[dict[str, str | float]]":
    import sys

    from outlay_reports.forecast.batch import forecast_lines
    from outlay_reports.forecast.series import frequency_of, read_csv

    frequency = None if freq is None else frequency_of(freq)
    if file == "-":
        found = read_csv(sys.stdin, frequency)
    else:
        path = Path(file)
        if not path.is_file():
            raise CommandError(f"{path} is not a file", "give a CSV of timestamp,value, or - for stdin")
        try:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                found = read_csv(lines, frequency)
        except UnicodeDecodeError as error:
            raise CommandError(f"{path} is not text", "give a CSV of timestamp,value in UTF-8") from error
    _doubts(found)
    return forecast_lines(found, horizon or max(2 * max(found[0].frequency.periods, default=6), 12))


def _doubts(found: "list[Series]") -> None:
    """Tell on stderr what makes a forecast less than it looks."""
    missing = sum(one.missing for one in found)
    short = [one for one in found if len(one.values) < 8]
    if missing:
        err.print(
            f"{missing} missing values were filled in from a season before or their neighbours",
            style="yellow",
        )
    if short:
        err.print(
            f"{len(short)} series have less than 8 values: their intervals are a guess and wide",
            style="yellow",
        )


def _question(
    by: str | None,
    tz: str,
    where: list[str] | None,
    tenant: list[str] | None,
    freq: str | None,
    now: "datetime",
) -> "CostQuery":
    from outlay_kit.time_ranges import period_of
    from outlay_reports.cost_query import CostQuery, parse_conditions, parse_dimensions
    from outlay_reports.periods import parse_zone

    unit = _UNITS.get((freq or "D").lower())
    if unit is None:
        raise CommandError(
            f"--freq {freq} is not for the books", "give h, D, W or MS; any other for --series FILE"
        )
    zone = parse_zone(tz)
    month = period_of(now, "month", zone)
    return CostQuery(
        month, zone, parse_dimensions(by), parse_conditions(where or []), tuple(tenant or ()), unit
    )


def _of_books(
    books: "CostReader",
    question: "CostQuery",
    horizon: int | None,
    meter: str,
    changes: "list[ModelSwap]",
    now: "datetime",
    *,
    totals: bool,
) -> "Iterable[dict[str, str | float]]":
    from outlay_reports.forecast.hierarchy import hierarchy_lines
    from outlay_reports.forecast.history import SECONDS, as_series, read_history
    from outlay_reports.forecast.trajectory import SEASONS

    unit = question.unit or "day"
    found = read_history(books, question, now, meter)
    if not found.keys:
        raise CommandError(
            f"there is no whole {unit} of history yet", "try --freq h, or --summary for the run rate"
        )
    steps = horizon or (168 if unit == "hour" else 90)
    days = [(n + 0.5) * SECONDS.get(unit, 2_629_800) / 86_400 for n in range(steps)]
    scale = _factors(books, question, changes, now, days) if changes else [1.0] * steps
    return hierarchy_lines(
        as_series(found, question), found.keys, question.by, SEASONS[unit], scale, totals=totals
    )


def _factors(
    books: "CostReader",
    question: "CostQuery",
    changes: "list[ModelSwap]",
    now: "datetime",
    days: "list[float]",
) -> list[float]:
    """Return by what the changes multiply each day, from what was used in the last 30 days and the catalog in force."""
    from dataclasses import replace
    from datetime import timedelta

    from outlay.catalog.load import load_default
    from outlay.catalog.publish import newest
    from outlay.catalog.what_if import unit_price
    from outlay.local import stores
    from outlay_kit.time_ranges import TimeRange
    from outlay_reports.forecast.whatif import factors

    end = now.replace(second=0, microsecond=0)
    span = TimeRange(end - timedelta(days=30), end)
    cells = books.cells(replace(question, span=span, unit=None, by=("sku",)))
    models = {cell.keys[0]: cell.sums for cell in cells}
    catalog = newest(stores()[0]) or load_default()
    return factors(changes, models, days, lambda model, used: unit_price(catalog, model, used, now))


def _summary(
    books: "CostReader", question: "CostQuery", changes: "list[ModelSwap]", now: "datetime", *, as_json: bool
) -> None:
    from outlay.cli.budgets import planned
    from outlay_reports.adapters.forecast_cache import ForecastCache
    from outlay_reports.forecast.summary import budget_table, landing_table

    outlook = ForecastCache()
    spent, landing = outlook.land(books, question, now)
    middle = (question.span.end - now).total_seconds() / 86_400 / 2
    factor = _factors(books, question, changes, now, [middle])[0] if changes else 1.0
    assumed = [str(change) for change in changes]
    write_report(landing_table(question, spent, landing, factor, assumed), Format.table, as_json, None)
    plans = planned(question.tenants, books)
    if plans:
        if not as_json:
            out.print()
        write_report(budget_table(plans, outlook.states(books, plans, now)), Format.table, as_json, None)


def _full(
    books: "CostReader",
    question: "CostQuery",
    meter: str,
    amount: float | None,
    gpus: int | None,
    now: "datetime",
    *,
    as_json: bool,
) -> None:
    from outlay.catalog.publish import newest
    from outlay.local import stores
    from outlay_reports.forecast.capacity import GPU_METER
    from outlay_reports.forecast.summary import full_table

    if gpus is not None:
        meter, amount = meter or GPU_METER, gpus * 86_400.0
    if not meter or amount is None:
        raise CommandError("--full needs a meter", "give --meter, such as gpu_seconds or output_tokens")
    catalog = newest(stores()[0]) if meter == GPU_METER else None
    price_books = () if catalog is None else catalog.price_books
    sheet = full_table(books, question, now, meter, amount, gpus=gpus, price_books=price_books)
    write_report(sheet, Format.table, as_json, None)
