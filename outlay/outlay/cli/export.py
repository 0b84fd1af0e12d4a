"""The command that exports the ledger in FOCUS."""

import sys
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from typer import Option

from outlay.cli.help import App
from outlay.cli.options import CurrencyCode, From, Tenants, To
from outlay.cli.output import CommandError, note
from outlay.cli.report_query import currency_of, splits_of
from outlay.cli.stores import open_clickhouse
from outlay.focus.allocation import Sharing, sharing
from outlay.focus.write import Wanted, tables, write_csv, write_parquet
from outlay_kit.clock import SystemClock
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery
from outlay_reports.periods import parse_time_range
from outlay_reports.statements import allocate_query
from outlay_schemas.currency import Currency
from outlay_schemas.dimensions import PAYER

app = App("export", "Export the ledger in FOCUS.")


@app.callback()
def export() -> None:
    """Export the ledger in FOCUS, the FinOps Foundation's format of bills."""


@app.command()
def focus(
    *,
    start: From = None,
    end: To = None,
    file: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="Write to a .csv or .parquet file.")
    ] = None,
    version: Annotated[Literal["1.2", "1.3", "1.4"], Option(help="Version of FOCUS.")] = "1.2",
    grain: Annotated[Literal["hour", "day"], Option(help="Length of a charge period.")] = "hour",
    allocate: Annotated[bool, Option("--allocate", help="Allocate shared costs; needs 1.3 or 1.4.")] = False,
    currency: CurrencyCode = "USD",
    tenant: Tenants = None,
) -> None:
    """Export costs as FOCUS rows: one for each hour or day, model or machine, owner and meter. UTC, as in FOCUS.

    Every event's cost is in the rows exactly once. Unpriced usage is included: x_PriceStatus is unpriced, and
    x_UnpricedEvents counts its events; the cost of such a row is a lower bound.

    In another currency (--currency), the PricingCurrency columns keep the exact USD. Closed months are in USD only.

    Examples:

        outlay export focus --from 2026-11 -o november.csv
        outlay export focus --from 2026-10-01 --to 2026-10-31 --grain day -o october.parquet --version 1.3
        outlay export focus --from 2026-10 --version 1.4 --allocate -o october.csv
        outlay export focus --from 2026-11 --currency EUR -o november.csv
    """
    if allocate and version == "1.2":
        raise CommandError("FOCUS 1.2 has no columns for allocated costs", "give --version 1.3 or 1.4")
    if file is not None and file.suffix.lower() not in (".csv", ".parquet"):
        raise CommandError(f"{file}: FOCUS is written as .csv or .parquet", "spreadsheets open .csv")
    span = parse_time_range(start, end, ZoneInfo("UTC"), SystemClock().now())
    parquet = file is not None and file.suffix.lower() == ".parquet"
    tenants = tuple(tenant or ())
    of = currency_of(currency)
    with open_clickhouse(*tenants) as clickhouse:
        parts = _sharing(CostReader(clickhouse), span, tenants, of) if allocate else None
        wanted = Wanted(span, version, grain, tenants, not parquet, parts, of)
        found = tables(clickhouse, wanted)
        try:
            if file is None:
                rows = write_csv(found, sys.stdout.buffer, wanted)
            elif parquet:
                rows = write_parquet(found, file, wanted)
            else:
                with file.open("wb") as opened:
                    rows = write_csv(found, opened, wanted)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}", "give another file") from error
    note(f"{rows:,} rows of FOCUS {version}{f': {file}' if file else ''}", "dim")


def _sharing(costs: CostReader, span: TimeRange, tenants: tuple[str, ...], currency: Currency) -> Sharing:
    """Return how the shared costs of a time range are allocated, as in `showback --allocate`."""
    by = (PAYER, "team")
    query = CostQuery(span, ZoneInfo("UTC"), by, {}, tenants, currency=currency)
    splits = splits_of(query)
    return sharing(splits, allocate_query(costs, query, splits), by)
