"""The command that forecasts costs and usage."""

import json
import sys
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from outlay.catalog.load import load_default
from outlay.catalog.what_if import unit_price
from outlay.cli.options import AsJson, By, CurrencyCode
from outlay.cli.output import CommandError, note, out, print_json, print_report
from outlay.cli.report_query import Costs, Output, Scope, budget_plans, cost_query
from outlay.cli.stores import open_costs, published_or_none
from outlay_kit.clock import SystemClock
from outlay_kit.time_ranges import TimeRange, period_of
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.adapters.forecast_cache import ForecastCache
from outlay_reports.adapters.part_forecasts import forecast_levels
from outlay_reports.cost_query import CostQuery
from outlay_reports.forecast.history import rate_ahead
from outlay_reports.forecast.lines import forecast_lines, part_lines
from outlay_reports.forecast.series import frequency_of, read_csv
from outlay_reports.forecast.summary import GPU_METER, UNTESTED, budget_table, full_table, landing_table
from outlay_reports.forecast.whatif import ModelSwap, factors, parse_model_swap
from outlay_reports.periods import Unit
from outlay_reports.renderers import to_json
from outlay_schemas.currency import USD

_UNITS: dict[str, Unit] = {"h": "hour", "d": "day", "w": "week", "m": "month", "ms": "month"}
_STEPS: dict[Unit, int] = {"hour": 168, "day": 90, "week": 26, "month": 12}
"""Values without --horizon."""
_DAYS: dict[Unit, float] = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.4375}
Lines = Iterable[dict[str, str | float]]


def forecast(
    *,
    series: Annotated[
        str | None, Option(metavar="FILE.csv|-", help="CSV with timestamp, value and, optionally, series.")
    ] = None,
    horizon: Annotated[
        int | None,
        Option(
            min=1,
            max=20_000,
            help="Number of values, the current one first. Default: 168 h, 90 D, 26 W, 12 MS.",
        ),
    ] = None,
    freq: Annotated[str | None, Option(metavar="h|D|W|MS", help="Hours, days, weeks or months.")] = None,
    by: By = None,
    totals: Annotated[
        bool, Option("--totals", help="With --by: add totals, and fit the parts to them.")
    ] = False,
    meter: Annotated[str, Option(help="Forecast a meter, such as output_tokens, instead of cost.")] = "",
    full: Annotated[float | None, Option(help="With --meter: find when its daily use reaches this.")] = None,
    gpus: Annotated[int | None, Option(min=1, help="Find when a reservation of N GPUs is full.")] = None,
    what_if: Annotated[
        list[str] | None, Option(metavar="CHANGE", help="price=-20%, growth=+5% (a month), A>B=50%.")
    ] = None,
    summary: Annotated[
        bool | None,
        Option(
            "--summary/--no-summary",
            help="The month and budgets as tables, or NDJSON. Default: a summary, unless --by, --horizon, --freq,"
            " --meter or --totals asks for values.",
            show_default=False,
        ),
    ] = None,
    scope: Scope,
    currency: CurrencyCode = "USD",
    as_json: AsJson = False,
) -> None:
    """Forecast this month and each budget, or any series as NDJSON with intervals that were tested on the past.

    Examples:

        outlay forecast
        outlay forecast --series usage.csv --horizon 72 --freq h
        outlay forecast --by team,model --horizon 30 --totals > forecast.ndjson
        outlay forecast --what-if "claude-opus-4-1>claude-sonnet-4-5=50%" --summary
        outlay forecast --gpus 8
        outlay forecast --meter output_tokens --full 5e8
    """
    if series is not None:
        _write(_of_file(series, horizon, freq))
        return
    now = SystemClock().now()
    unit = _UNITS.get((freq or "D").lower())
    if unit is None:
        hint = "give h, D, W or MS; other frequencies work with --series FILE"
        raise CommandError(f'--freq "{freq}" is not valid for costs', hint)
    with open_costs() as costs:
        query = cost_query(costs, Costs(scope=scope, currency=currency), by, unit)
        query = replace(query, span=period_of(now, "month", query.zone))
        changes = [parse_model_swap(text) for text in what_if or []]
        if full is not None or gpus is not None:
            _full(costs, query, now, meter, amount=full, gpus=gpus, as_json=as_json)
        elif summary or (summary is None and not (horizon or meter or by or freq or totals)):
            _summary(costs, query, changes, now, as_json=as_json)
        else:
            _write(_of_costs(costs, query, now, horizon, meter, changes=changes, totals=totals))


def _write(lines: Lines) -> None:
    for one in lines:
        typer.echo(json.dumps(one, ensure_ascii=False))


def _of_file(file: str, horizon: int | None, freq: str | None) -> Lines:
    frequency = None if freq is None else frequency_of(freq)
    path = Path(file)
    if file != "-" and not path.is_file():
        raise CommandError(f"{path} is not a file", "give a CSV of timestamp,value, or - for stdin")
    try:
        with nullcontext(sys.stdin) if file == "-" else path.open(encoding="utf-8-sig", newline="") as lines:
            found = read_csv(lines, frequency)
    except UnicodeDecodeError as error:
        raise CommandError(f"{path} is not text", "give a CSV of timestamp,value in UTF-8") from error
    missing = sum(one.missing for one in found)
    short = sum(len(one.values) < 8 for one in found)
    if missing:
        note(f"{missing} missing values were filled in from the season before or their neighbours", "yellow")
    if short:
        note(f"{short} series have fewer than 8 values: their intervals are rough and wide", "yellow")
    return forecast_lines(found, horizon or max(2 * max(found[0].frequency.periods, default=6), 12))


def _of_costs(
    costs: CostReader,
    query: CostQuery,
    now: datetime,
    horizon: int | None,
    meter: str,
    *,
    changes: list[ModelSwap],
    totals: bool,
) -> Lines:
    unit = query.unit or "day"
    steps = horizon or _STEPS[unit]
    days = [(n + 0.5) * _DAYS[unit] for n in range(steps)]
    rate = 1.0 if meter else rate_ahead(query.currency, now)
    scale = [rate * factor for factor in _factors(costs, query, changes, now, days)]
    levels = list(forecast_levels(costs, query, now, steps, meter=meter, totals=totals))
    if not levels:
        raise CommandError(UNTESTED, "wait for the second day, or forecast a file with --series FILE")
    return (line for level in levels for line in part_lines(level, query, scale))


def _factors(
    costs: CostReader, query: CostQuery, changes: list[ModelSwap], now: datetime, days: list[float]
) -> list[float]:
    """Return the factor of the changes for each day, from the usage of the last 30 days and the catalog in force."""
    if not changes:
        return [1.0] * len(days)
    end = now.replace(second=0, microsecond=0)
    span = TimeRange(end - timedelta(days=30), end)
    cells = costs.cells(replace(query, span=span, unit=None, by=("sku",), currency=USD))
    models = {cell.keys[0]: cell.sums for cell in cells}
    catalog = published_or_none() or load_default()
    return factors(changes, models, days, lambda model, used: unit_price(catalog, model, used, now))


def _summary(
    costs: CostReader, query: CostQuery, changes: list[ModelSwap], now: datetime, *, as_json: bool
) -> None:
    cache = ForecastCache()
    spent, landing = cache.land(costs, query, now)
    middle = (query.span.end - now).total_seconds() / 86_400 / 2
    factor = _factors(costs, query, changes, now, [middle])[0]
    month = landing_table(query, spent, landing, factor, [str(change) for change in changes])
    plans = budget_plans(costs, query.tenants)
    budgets = budget_table(plans, cache.states(costs, plans, now), query.zone) if plans else None
    if as_json:
        print_json({"month": json.loads(to_json(month)), "budgets": budgets and json.loads(to_json(budgets))})
        return
    print_report(month)
    if budgets is not None:
        out.print()
        print_report(budgets)


def _full(
    costs: CostReader,
    query: CostQuery,
    now: datetime,
    meter: str,
    *,
    amount: float | None,
    gpus: int | None,
    as_json: bool,
) -> None:
    if gpus is not None:
        meter, amount = meter or GPU_METER, gpus * 86_400.0
    if not meter or amount is None:
        raise CommandError("--full needs a meter", "give --meter, such as gpu_seconds or output_tokens")
    catalog = published_or_none() if meter == GPU_METER else None
    price_books = () if catalog is None else catalog.price_books
    report = full_table(costs, query, now, meter, amount, gpus=gpus, price_books=price_books)
    Output(as_json=as_json).write(report)
