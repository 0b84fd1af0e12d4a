"""Commands that bring history in from files: tables by a mapping, cloud bills in FOCUS, LiteLLM's logs."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

import csv
import io
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from outlay.cli.common import AsJson, CommandError, err, out, print_json, told

if TYPE_CHECKING:
    from outlay.bulk import Imported
    from outlay_ingest.domain.items import Items
    from outlay_ingest.domain.tables import ColumnMap, Row

app = typer.Typer(
    name="import", no_args_is_help=True, help="History from files, sent through ingest like all else."
)

FileArgument = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The file.")]
UrlOption = Annotated[str | None, typer.Option(envvar="OUTLAY_URL", help="Where ingest is.")]
KeyOption = Annotated[
    str | None, typer.Option(envvar="OUTLAY_API_KEY", help="Default: the local stack's key.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read all and say what would be sent; send nothing.")]
_SHOWN = 20


class CostColumn(StrEnum):
    """Which amount of a bill counts."""

    effective = "EffectiveCost"
    billed = "BilledCost"
    contracted = "ContractedCost"
    list = "ListCost"


@app.command("csv")
@told
def import_csv(
    file: FileArgument,
    mapping: Annotated[
        Path, typer.Option("--map", exists=True, dir_okay=False, help="YAML: which column holds what.")
    ],
    url: UrlOption = None,
    api_key: KeyOption = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import any table with a header, by a mapping of its columns.

    A mapping: `{source: =vendor, time: started, sku: model, kind: =llm, usage: {input_tokens: prompt}, team: dept}`.
    Names are columns; what starts with = is the value itself. Importing a file twice counts once.

    Example:

      outlay import csv usage.csv --map columns.yaml --dry-run
    """
    from outlay_ingest.domain.tables import read_rows

    columns = _column_map(mapping)
    _must_be_text(file)
    _run(file, lambda opened: read_rows(_csv_rows(opened), columns), url, api_key, dry_run, as_json)


@app.command()
@told
def focus(
    file: FileArgument,
    cost: Annotated[CostColumn, typer.Option(help="Which amount counts.")] = CostColumn.effective,
    url: UrlOption = None,
    api_key: KeyOption = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import a cloud bill in FOCUS (CSV, gzipped CSV or Parquet) as events with a reported cost.

    A bill that comes again with other amounts replaces the first. Credits (negative amounts) are not taken: they are
    counted, with their sum.

    Example:

      outlay import focus bill.parquet --dry-run
    """
    from outlay_ingest.domain.focus import read_focus

    rows = _parquet_rows if file.suffix == ".parquet" else _csv_rows
    if rows is _csv_rows:
        _must_be_text(file)
    _run(file, lambda opened: read_focus(rows(opened), cost.value), url, api_key, dry_run, as_json)


@app.command()
@told
def litellm(
    file: FileArgument,
    url: UrlOption = None,
    api_key: KeyOption = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import LiteLLM's logs: StandardLoggingPayloads or rows of its spend logs, as JSON or one a line.

    Example:

      outlay import litellm spend-logs.json
    """
    from outlay_ingest.domain.litellm import read_litellm

    _must_be_text(file, packed=False)
    _run(file, lambda opened: _pieces(opened, read_litellm), url, api_key, dry_run, as_json)


def _column_map(path: Path) -> "ColumnMap":
    import yaml

    from outlay_ingest.domain.tables import read_mapping
    from outlay_schemas.errors import Invalid

    try:
        return read_mapping(yaml.safe_load(path.read_text()))
    except (Invalid, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}", "see: docs/formats.md, Tables") from None


def _must_be_text(file: Path, packed: bool = True) -> None:
    """Refuse a file that is no text by its beginning: with one error, and not with one a line. Raises CommandError."""
    import codecs
    import gzip
    import zlib

    with file.open("rb") as opened:
        head = opened.read(65_536)
    if packed and head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(file) as unpacked:
                head = unpacked.read(65_536)
        except (OSError, EOFError, zlib.error) as error:
            raise CommandError(f"{file} is packed with gzip, and broken: {error}") from None
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise CommandError(f"{file} is in UTF-16", "save it as UTF-8")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        text = b"\0" not in head
    except UnicodeDecodeError:
        text = False
    if not text:
        raise CommandError(
            f"{file} is no text in UTF-8", "export a spreadsheet as CSV; a Parquet file must end in .parquet"
        )


def _csv_rows(opened: BinaryIO) -> "Iterator[Row]":
    """Read a CSV, gzipped or not. Raises CommandError."""
    import gzip

    magic = opened.read(2)
    opened.seek(0)
    packed = magic == b"\x1f\x8b"
    raw = io.BufferedReader(gzip.GzipFile(fileobj=opened)) if packed else opened
    lines = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
    try:
        yield from csv.DictReader(lines)
    except (csv.Error, UnicodeDecodeError, OSError, EOFError) as error:
        raise CommandError(f"this is no CSV in UTF-8: {error}") from None
    finally:
        lines.detach()  # it would close the file, which is not its own


def _parquet_rows(opened: BinaryIO) -> "Iterator[Row]":
    import pyarrow as pa
    from pyarrow import parquet

    try:
        for batch in parquet.ParquetFile(opened).iter_batches(batch_size=2000):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise CommandError(f"this is no Parquet file: {error}") from None


def _pieces(opened: BinaryIO, read: "Callable[[bytes], Items]") -> "Items":
    """Read a file of one JSON value whole, a file of lines a thousand at a time."""
    from outlay_schemas.errors import Invalid

    try:
        if opened.peek(1)[:1] == b"[" or opened.readline().strip() == b"{":  # type: ignore[attr-defined]
            opened.seek(0)
            yield from read(opened.read())
            return
        opened.seek(0)
        while lines := opened.readlines(2**20):
            yield from read(b"".join(lines))
    except Invalid as why:
        raise CommandError(f"this is no log of LiteLLM: {why}") from None


def _run(
    file: Path,
    items: "Callable[[BinaryIO], Items]",
    url: str | None,
    api_key: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    from outlay.bulk import Imported, import_items
    from outlay.client import IngestClient
    from outlay.local import endpoint
    from outlay_kit.clock import SystemClock

    client = None if dry_run else IngestClient(*endpoint(url, api_key), SystemClock())
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with file.open("rb") as opened, Progress(*columns, console=err, disable=as_json, transient=True) as bar:
        task = bar.add_task("", total=file.stat().st_size)
        result = Imported()
        try:
            for _ in import_items(items(opened), client, result):
                bar.update(task, completed=opened.tell())
        finally:
            if client is not None:
                client.__exit__()
    _tell(result, dry_run, as_json)


def _tell(result: "Imported", dry_run: bool, as_json: bool) -> None:
    from outlay.bulk import plain

    if as_json:
        print_json(result.as_dict())
    else:
        verb = "would send" if dry_run else "sent"
        out.print(
            f"{verb} {result.sent:,}, accepted {result.accepted:,}, refused {result.refused:,}, "
            f"passed over {result.ignored:,}"
        )
        if result.first is not None:
            period = f"{result.first:%Y-%m-%d %H:%M} to {result.last:%Y-%m-%d %H:%M}"
            out.print(f"{period}, reported {plain(result.reported)} USD", style="dim", soft_wrap=True)
        if result.credits:
            err.print(f"credits are not taken: {plain(result.credits)} USD in {result.credit_rows:,} row(s)")
        for place, code, message in result.reasons[:_SHOWN]:
            err.print(f"  {place} {message} [{code}]", markup=False)
    if result.refused > result.credit_rows:
        raise typer.Exit(1)
