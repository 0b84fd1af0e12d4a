"""Writes FOCUS rows to CSV or Parquet, some hours or days at a time, so that memory is bounded."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from pyarrow import compute

from outlay.focus.allocation import Sharing, shared
from outlay.focus.columns import Column, Version, columns
from outlay.focus.query import SECONDS, Invoices, charges, invoices, statement
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.closed_periods import closed_within
from outlay_reports.conversion import Conversion
from outlay_reports.errors import QueryError
from outlay_reports.renderers import FORMULA_STARTS
from outlay_schemas.currency import USD, Currency, NoRateError

_ROWS = 50_000  # rows of a piece, about: 50 MB
_TYPES = {
    "text": pa.string(),
    "decimal": pa.decimal128(38, 12),
    "price": pa.decimal128(38, 18),
    "time": pa.timestamp("s", tz="UTC"),
    "count": pa.int64(),
}


def pieces(span: TimeRange, grain: str) -> Generator[TimeRange, int, None]:
    """Cut a span into whole hours or days; send the number of rows of a piece to get the next. The first is one of
    them, each next as long as makes about `_ROWS` rows, at most four times the one before."""
    unit = timedelta(seconds=SECONDS[grain])
    most = timedelta(days=31) // unit
    start, count = span.start, 1
    while start < span.end:
        edge = datetime.fromtimestamp(int(start.timestamp()) // SECONDS[grain] * SECONDS[grain], UTC)
        end = min(edge + unit * count, span.end)
        rows = yield TimeRange(start, end)
        start = end
        count = max(min(count * _ROWS // max(rows, 1), count * 4, most), 1)


@dataclass(frozen=True)
class Wanted:
    """What to export. `text`: every value as text. `sharing`: which costs are shared, and among whom. `currency`: of
    the amounts."""

    span: TimeRange
    version: Version = "1.2"
    grain: str = "hour"
    tenants: Sequence[str] = ()
    text: bool = True
    sharing: Sharing | None = None
    currency: Currency = USD

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of its rows, in order."""
        return columns(self.version, self.currency)


def tables(clickhouse: ClickHouseClient, wanted: Wanted) -> Iterator[pa.Table]:
    """Return the rows of a span in pieces of hours or days. Raises at once, before any row is read, QueryError if a
    month in it was closed in another currency, and NoRateError if a charge in it has no exchange rate; Retryable."""
    closed = closed_within(clickhouse, wanted.tenants, wanted.span)
    if closed and wanted.currency != USD:
        months = " and ".join(dict.fromkeys(month.period for month in closed))
        raise QueryError(
            f"{months} {'were' if ' ' in months else 'was'} closed in USD, and rows name their statement",
            "export closed months in USD: --currency USD",
        )
    _require_rates(clickhouse, wanted)
    return _tables(clickhouse, wanted, invoices(closed))


def _require_rates(clickhouse: ClickHouseClient, wanted: Wanted) -> None:
    rates = Conversion.over(wanted.currency, wanted.span)
    bound = {"tenants": list(wanted.tenants)} if wanted.tenants else None
    gaps = [
        gap
        for gap in rates.gaps
        if clickhouse.rows(charges(gap, tenants=bool(wanted.tenants)), bound)[0]["n"]
    ]
    if gaps:
        raise NoRateError(rates.missing(gaps))


def _tables(clickhouse: ClickHouseClient, wanted: Wanted, on: Invoices) -> Iterator[pa.Table]:
    text, sharing = wanted.text, wanted.sharing
    schema = pa.schema([(c.name, pa.string() if text else _TYPES[c.kind]) for c in wanted.columns])
    bound: dict[str, object] = {**on.bound, **(sharing.bound if sharing else {})}
    if wanted.tenants:
        bound["tenants"] = list(wanted.tenants)
    split = sharing.sql if sharing else ""
    cut = pieces(wanted.span, wanted.grain)
    piece = next(cut, None)
    while piece is not None:
        sql = statement(
            piece, wanted.version, wanted.grain, text=text, tenants=bool(wanted.tenants), split=split, on=on,
            currency=wanted.currency,
        )  # fmt: skip
        rows = 0
        if answer := clickhouse.raw(sql, bound or None, fmt="ArrowStream"):
            with pa.ipc.open_stream(answer) as stream:
                found = stream.read_all()
            rows = found.num_rows
            table = pa.table([_cast(found.column(one.name), one.type) for one in schema], schema=schema)
            yield shared(table, found.column("split"), sharing, on.units) if sharing else table
        try:
            piece = cut.send(rows)
        except StopIteration:
            return


def _cast(column: Any, kind: pa.DataType) -> Any:
    if pa.types.is_timestamp(kind) and pa.types.is_integer(column.type):
        column = column.cast(pa.int64())  # seconds since 1970
    return column.cast(kind)


def write_csv(found: Iterator[pa.Table], file: IO[bytes], wanted: Wanted) -> int:
    """Write CSV with a header, null as an empty cell; return the number of rows. A text that a spreadsheet would take
    for a formula begins with an apostrophe."""
    texts = [c.name for c in wanted.columns if c.kind == "text"]
    options = pc.WriteOptions(include_header=False, quoting_style="needed")
    file.write((",".join(c.name for c in wanted.columns) + "\n").encode())
    rows = 0
    for table in found:
        cells = {one: table[one] for one in table.column_names}
        cells |= {
            one: compute.replace_substring_regex(cells[one], f"^([{FORMULA_STARTS}])", r"'\1")
            for one in texts
        }
        pc.write_csv(pa.table(cells), file, options)
        rows += table.num_rows
    return rows


def write_parquet(found: Iterator[pa.Table], file: Path, wanted: Wanted) -> int:
    """Write Parquet, a row group a day; return the number of rows."""
    metadata = {"FocusVersion": wanted.version, "DataGenerator": "Outlay"}
    schema = pa.schema([(c.name, _TYPES[c.kind]) for c in wanted.columns], metadata)
    rows = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in found:
            writer.write_table(table.replace_schema_metadata(metadata))
            rows += table.num_rows
    return rows
