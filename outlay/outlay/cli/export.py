"""The command that writes the ledger in a format of the field."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import CommandError, err, friendly_errors
from outlay.cli.report_options import From, Tenant, To, allocation, reading, splits_of

if TYPE_CHECKING:
    from outlay.focus.allocation import Sharing
    from outlay_kit.time_ranges import TimeRange
    from outlay_reports.adapters.cost_reader import CostReader

app = typer.Typer(name="export", no_args_is_help=True, help="Write the ledger in a format of the field.")


class Version(StrEnum):
    """Versions of FOCUS."""

    v1_2 = "1.2"
    v1_3 = "1.3"
    v1_4 = "1.4"


class Grain(StrEnum):
    """How long a charge period is."""

    hour = "hour"
    day = "day"


@app.callback()
def export() -> None:
    """Write the ledger in a format of the field."""


@app.command()
@friendly_errors
def focus(
    start: From = None,
    end: To = None,
    file: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A file, .parquet or CSV. Default: CSV to stdout."),
    ] = None,
    version: Annotated[Version, typer.Option(help="Version of FOCUS.")] = Version.v1_2,
    grain: Annotated[Grain, typer.Option(help="How long a charge period is.")] = Grain.hour,
    allocate: Annotated[
        bool,
        typer.Option(help="Cut shared costs up among who bears them, by the catalog's splits; since 1.3."),
    ] = False,
    tenant: Tenant = None,
) -> None:
    """Export costs as FOCUS rows: one for each hour or day, model or machine, owner and meter. In UTC, as FOCUS wants.

    Every event's cost is in the rows exactly once. What could not be priced is there too: x_PriceStatus is unpriced,
    and x_UnpricedEvents says how many events; their cost is a lower bound.

    Examples:

      outlay export focus --from 2026-11 -o november.csv

      outlay export focus --from 2026-10-01 --to 2026-10-31 --grain day -o october.parquet --version 1.3

      outlay export focus --from 2026-10 --version 1.4 --allocate -o october.csv
    """
    import sys
    from zoneinfo import ZoneInfo

    from outlay.focus.write import Wanted, tables, write_csv, write_parquet
    from outlay.local import stores
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_kit.clock import SystemClock
    from outlay_reports.periods import parse_time_range

    if allocate and version is Version.v1_2:
        raise CommandError("FOCUS 1.2 has no columns for allocated costs", "give --version 1.3 or 1.4")
    with reading() as books:
        span = parse_time_range(start, end, ZoneInfo("UTC"), SystemClock().now())
        clickhouse = ClickHouseClient(stores()[1])
        parquet = file is not None and file.suffix == ".parquet"
        tenants = tuple(tenant or ())
        parts = _sharing(books, span, tenants) if allocate else None
        wanted = Wanted(span, version.value, grain.value, tenants, not parquet, parts)
        found = tables(clickhouse, wanted)
        try:
            if file is None:
                rows = write_csv(found, sys.stdout.buffer, version.value)
            elif parquet:
                rows = write_parquet(found, file, version.value)
            else:
                with file.open("wb") as out:
                    rows = write_csv(found, out, version.value)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}", "give another -o") from error
        finally:
            clickhouse.close()
    err.print(
        f"{rows:,} rows of FOCUS {version.value}{f': {file}' if file else ''}", style="dim", markup=False
    )


def _sharing(books: "CostReader", span: "TimeRange", tenants: tuple[str, ...]) -> "Sharing":
    """Return who bears how much of the shared costs of a span: what showback --allocate says."""
    from zoneinfo import ZoneInfo

    from outlay.focus.allocation import sharing
    from outlay_reports.cost_query import CostQuery

    by = ("business_unit", "team")
    question = CostQuery(span, ZoneInfo("UTC"), by, {}, tenants)
    splits = splits_of(question)
    return sharing(splits, allocation(books, question, splits), by)
