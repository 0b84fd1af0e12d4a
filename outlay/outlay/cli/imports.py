"""Commands that bring history in from files: tables by a mapping, cloud bills in FOCUS, LiteLLM's logs."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, TypeVar

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from outlay.cli.common import (
    AsJson,
    CommandError,
    DecimalMark,
    DecimalOption,
    err,
    friendly_errors,
    out,
    print_json,
)

if TYPE_CHECKING:
    from outlay.bills import Bill
    from outlay.bulk import Imported
    from outlay_ingest.domain.items import Items
    from outlay_ingest.domain.tables import ColumnMap

A = TypeVar("A")
R = TypeVar("R")

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
@friendly_errors
def import_csv(
    file: FileArgument,
    mapping: Annotated[
        Path, typer.Option("--map", exists=True, dir_okay=False, help="YAML: which column holds what.")
    ],
    decimal: DecimalOption = DecimalMark.point,
    url: UrlOption = None,
    api_key: KeyOption = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import any table with a header (CSV, gzipped CSV or Parquet), by a mapping of its columns.

    A mapping: `{source: =vendor, time: started, sku: model, kind: =llm, usage: {input_tokens: prompt}, team: dept}`.
    Names are columns; what starts with = is the value itself. Importing a file twice counts once.

    Example:

      outlay import csv usage.csv --map columns.yaml --dry-run
    """
    from outlay.table_files import rows_of
    from outlay_ingest.domain.tables import read_rows

    columns = _column_map(mapping)

    def read(path: Path, opened: BinaryIO) -> "Items":
        return read_rows(rows_of(path, opened), columns, decimal.value)

    _run([file], read, url, api_key, dry_run, as_json)


@app.command()
@friendly_errors
def focus(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", exists=True, help="The files of one bill, or their folder."),
    ],
    cost: Annotated[CostColumn, typer.Option(help="Which amount counts.")] = CostColumn.effective,
    decimal: DecimalOption = DecimalMark.point,
    part: Annotated[
        bool,
        typer.Option("--part", help="The files are a part of the bill: keep lines that they do not have."),
    ] = False,
    url: UrlOption = None,
    api_key: KeyOption = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import a cloud bill in FOCUS (CSV, gzipped CSV or Parquet) as events with a reported cost.

    Several files, or a folder, are the parts of one bill. A bill that comes again replaces the first: lines with other
    amounts change, and lines that it no longer has are set to 0 and counted. Credits (negative amounts) are not taken:
    they are counted, with their sum.

    Examples:

      outlay import focus bill.parquet --dry-run

      outlay import focus november/ --cost BilledCost
    """
    from outlay.bills import Bill
    from outlay.table_files import files_of, rows_of
    from outlay_ingest.domain.focus import read_focus
    from outlay_ingest.domain.tables import Identities

    paths = _asked(files_of, files)
    identities, bill = Identities(), Bill()

    def read(path: Path, opened: BinaryIO) -> "Items":
        name = path.name if len(paths) > 1 else ""
        rows = rows_of(path, opened)
        return bill.noting(read_focus(rows, cost.value, decimal.value, identities, name))

    _run(
        paths,
        read,
        url,
        api_key,
        dry_run,
        as_json,
        (lambda _: ()) if part else lambda result: _left(bill, result, url, api_key),
    )


def _left(bill: "Bill", result: "Imported", url: str | None, api_key: str | None) -> "Items":
    """Yield the removals of lines that the ledger has of a bill and the files do not."""
    from outlay.bills import earlier_lines
    from outlay.local import stores, tenant_of
    from outlay_kit.clickhouse import ClickHouseClient

    if bill.unreadable:
        err.print("lines that the bill no longer has are kept, since others cannot be read", markup=False)
        return
    tenant = tenant_of(url, api_key)
    if tenant is None:
        err.print(
            "lines that the bill no longer has are kept: the ledger is not reached from here", markup=False
        )
        return
    clickhouse = ClickHouseClient(stores()[1])
    try:
        yield from bill.removals(earlier_lines(clickhouse, tenant, bill.keys))
    finally:
        clickhouse.close()
    result.removed, result.removed_cost = bill.removed, bill.removed_cost


@app.command()
@friendly_errors
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
    from outlay.table_files import must_be_text
    from outlay_ingest.domain.litellm import read_litellm

    _asked(lambda path: must_be_text(path, packed=False), file)
    _run([file], lambda _, opened: _pieces(opened, read_litellm), url, api_key, dry_run, as_json)


def _guarded(steps: "Iterator[None]") -> "Iterator[None]":
    """Yield the steps of an import, an QueryError on the way as a CommandError."""
    from outlay_reports.errors import QueryError

    try:
        yield from steps
    except QueryError as error:
        raise CommandError(str(error), error.hint) from error


def _asked(ask: "Callable[[A], R]", value: "A") -> "R":
    """Return what `ask` returns, its QueryError as a CommandError."""
    from outlay_reports.errors import QueryError

    try:
        return ask(value)
    except QueryError as error:
        raise CommandError(str(error), error.hint) from error


def _column_map(path: Path) -> "ColumnMap":
    import yaml

    from outlay_ingest.domain.tables import read_mapping
    from outlay_schemas.errors import Invalid

    try:
        return read_mapping(yaml.safe_load(path.read_text()))
    except (Invalid, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}", "see: docs/imports.md, Tables") from None


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
    files: "Sequence[Path]",
    items: "Callable[[Path, BinaryIO], Items]",
    url: str | None,
    api_key: str | None,
    dry_run: bool,
    as_json: bool,
    last: "Callable[[Imported], Items]" = lambda _: (),
) -> None:
    """Import files one after the other, and then what `last` returns."""
    from outlay.bulk import Imported, import_items
    from outlay.client import IngestClient
    from outlay.local import endpoint
    from outlay_kit.clock import SystemClock

    client = None if dry_run else IngestClient(*endpoint(url, api_key), SystemClock())
    columns = (TextColumn("importing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    result = Imported()
    with Progress(*columns, console=err, disable=as_json, transient=True) as bar:
        task = bar.add_task("", total=sum(file.stat().st_size for file in files))
        try:
            before = 0
            for file in files:
                with file.open("rb") as opened:
                    for _ in _guarded(import_items(items(file, opened), client, result)):
                        bar.update(task, completed=before + opened.tell())
                    before += file.stat().st_size
            for _ in import_items(last(result), client, result):
                pass
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
        if result.removed:
            lines = f"{result.removed:,} line(s) of {plain(result.removed_cost)} USD"
            err.print(f"set to 0: {lines} that the bill no longer has (see --part)", soft_wrap=True)
        if result.credits:
            err.print(f"credits are not taken: {plain(result.credits)} USD in {result.credit_rows:,} row(s)")
        for place, code, message in result.reasons[:_SHOWN]:
            err.print(f"  {place} {message} [{code}]", markup=False)
    if result.refused > result.credit_rows:
        raise typer.Exit(1)
