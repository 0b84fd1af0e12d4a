"""Tables in files: CSV with any usual separator, packed or not, and Parquet, recognised by their content."""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from outlay_ingest.domain.tables import BROKEN, Row
from outlay_reports.errors import QueryError

_SEPARATORS = ",;\t|"
_HEAD = 65_536
_GZIP = b"\x1f\x8b"
_SUFFIXES = (".csv", ".gz", ".parquet", ".tsv", ".txt")


def files_of(paths: Iterable[Path]) -> list[Path]:
    """Return the files, and of each folder those in it that may be tables, by name. Raises QueryError."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(
            file for file in path.rglob("*")
            if file.is_file() and file.suffix in _SUFFIXES and not file.name.startswith((".", "_"))
        )  # fmt: skip
        if not inside:
            raise QueryError(f"no table in {path}", f"files in it must end in {', '.join(_SUFFIXES)}")
        found += inside
    return found


def rows_of(path: Path, opened: BinaryIO) -> Iterator[Row]:
    """Yield the rows of a table; a row with more or fewer cells than the header has the key BROKEN alone.
    Raises QueryError for a file that is not a table."""
    head = opened.read(4)
    opened.seek(0)
    if head == b"PAR1":
        yield from _parquet_rows(path, opened)
    else:
        must_be_text(path)
        yield from _csv_rows(path, opened, packed=head.startswith(_GZIP))


def must_be_text(path: Path, *, packed: bool = True) -> None:
    """Raise QueryError for a file that does not begin as text: one error, instead of one a line."""
    with path.open("rb") as opened:
        head = opened.read(_HEAD)
    if packed and head.startswith(_GZIP):
        try:
            with gzip.open(path) as unpacked:
                head = unpacked.read(_HEAD)
        except (OSError, EOFError, zlib.error) as error:
            raise QueryError(f"{path} is packed with gzip, and broken: {error}", "pack it again") from None
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise QueryError(f"{path} is in UTF-16", "save it as UTF-8")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        text = b"\0" not in head
    except UnicodeDecodeError:
        text = False
    if not text:
        hint = "export a spreadsheet as CSV in UTF-8, or give Parquet"
        raise QueryError(f"{path} is not text in UTF-8", hint)


def _csv_rows(path: Path, opened: BinaryIO, *, packed: bool) -> Iterator[Row]:
    raw = io.BufferedReader(gzip.GzipFile(fileobj=opened)) if packed else opened
    lines = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
    try:
        header = lines.readline()
        separator = max(_SEPARATORS, key=header.count)
        names = next(csv.reader([header], delimiter=separator), [])
        for cells in csv.reader(lines, delimiter=separator):
            if cells:
                yield dict(zip(names, cells, strict=True)) if len(cells) == len(names) else {BROKEN: cells}
    except (csv.Error, UnicodeDecodeError, OSError, EOFError) as error:
        raise QueryError(f"{path} is not CSV in UTF-8: {error}", "export it again") from None
    finally:
        if not opened.closed:  # by a command that stops while a thread reads
            lines.detach()  # it would close the file, which is not its own


def _parquet_rows(path: Path, opened: BinaryIO) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(opened).iter_batches(batch_size=2000):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise QueryError(f"{path} is not Parquet: {error}", "export it again") from None
