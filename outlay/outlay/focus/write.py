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
from outlay.focus.columns import Version, columns
from outlay.focus.query import SECONDS, invoices, statement
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.closed_periods import closed_within
from outlay_reports.renderers import FORMULA_STARTS

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
    """What to export. `text`: every value as text. `sharing`: which costs are shared, and among whom."""

    span: TimeRange
    version: Version = "1.2"
    grain: str = "hour"
    tenants: Sequence[str] = ()
    text: bool = True
    sharing: Sharing | None = None


def tables(clickhouse: ClickHouseClient, wanted: Wanted) -> Iterator[pa.Table]:
    """Yield the rows of a span in pieces of hours or days. Raises Retryable."""
    text, sharing = wanted.text, wanted.sharing
    schema = pa.schema([(c.name, pa.string() if text else _TYPES[c.kind]) for c in columns(wanted.version)])
    on = invoices(closed_within(clickhouse, wanted.tenants, wanted.span))
    bound: dict[str, object] = {**on.bound, **(sharing.bound if sharing else {})}
    if wanted.tenants:
        bound["tenants"] = list(wanted.tenants)
    split = sharing.sql if sharing else ""
    cut = pieces(wanted.span, wanted.grain)
    piece = next(cut, None)
    while piece is not None:
        sql = statement(
            piece, wanted.version, wanted.grain, text=text, tenants=bool(wanted.tenants), split=split, on=on
        )
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


def write_csv(found: Iterator[pa.Table], file: IO[bytes], version: Version) -> int:
    """Write CSV with a header, null as an empty cell; return the number of rows. A text that a spreadsheet would take
    for a formula begins with an apostrophe."""
    texts = [c.name for c in columns(version) if c.kind == "text"]
    options = pc.WriteOptions(include_header=False, quoting_style="needed")
    file.write((",".join(c.name for c in columns(version)) + "\n").encode())
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


def write_parquet(found: Iterator[pa.Table], file: Path, version: Version) -> int:
    """Write Parquet, a row group a day; return the number of rows."""
    schema = pa.schema([(c.name, _TYPES[c.kind]) for c in columns(version)], _metadata(version))
    rows = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for table in found:
            writer.write_table(table.replace_schema_metadata(_metadata(version)))
            rows += table.num_rows
    return rows


def _metadata(version: Version) -> dict[str, str]:
    return {"FocusVersion": version, "DataGenerator": "Outlay"}
