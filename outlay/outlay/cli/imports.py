"""Commands that import history from files: tables by a mapping, cloud bills in FOCUS, LiteLLM's logs."""

# ruff: noqa: PLR0917 (Typer makes an option of each parameter)

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import typer
import yaml
from typer import Argument, Option

from outlay.bills import Bill, earlier_lines
from outlay.bulk import Imported, import_items, plain
from outlay.cli.errors import CommandError
from outlay.cli.help import App
from outlay.cli.options import ApiKey, AsJson, Decimal, DryRun, Url
from outlay.cli.output import line, note, print_json
from outlay.cli.progress import progress_bar
from outlay.cli.stores import open_clickhouse
from outlay.client import IngestClient
from outlay.local.state import endpoint, tenant_of
from outlay.table_files import files_of, must_be_text, rows_of
from outlay_ingest.domain.decoded_items import Items
from outlay_ingest.domain.focus import read_focus
from outlay_ingest.domain.litellm import read_litellm
from outlay_ingest.domain.tables import ColumnMap, Identities, read_mapping, read_rows
from outlay_kit.clock import SystemClock
from outlay_reports.money import counted
from outlay_schemas.errors import Invalid

app = App("import", "Import history from files; it goes through ingest like any usage.")

OneFile = Annotated[Path, Argument(exists=True, dir_okay=False, help="The file.")]
_SHOWN = 20
CostColumn = Literal["EffectiveCost", "BilledCost", "ContractedCost", "ListCost"]


@app.command("csv")
def import_csv(
    file: OneFile,
    mapping: Annotated[
        Path, Option("--map", exists=True, dir_okay=False, help="YAML: which column holds what.")
    ],
    decimal: Decimal = "point",
    url: Url = None,
    api_key: ApiKey = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import any table with a header (CSV, gzipped CSV or Parquet), by a mapping of its columns.

    A mapping: `{source: =vendor, time: started, sku: model, kind: =llm, usage: {input_tokens: prompt}, team: dept}`.
    Names are columns; a value that starts with = is used as it is. Importing a file twice counts once.

    Examples:

        outlay import csv usage.csv --map columns.yaml --dry-run
    """
    columns = _column_map(mapping)

    def read(path: Path, opened: BinaryIO) -> Items:
        return read_rows(rows_of(path, opened), columns, decimal)

    _run([file], read, url, api_key, dry_run, as_json)


@app.command()
def focus(
    files: Annotated[
        list[Path], Argument(metavar="FILE", exists=True, help="The files of one bill, or a folder.")
    ],
    cost: Annotated[CostColumn, Option(help="The amount that counts.")] = "EffectiveCost",
    decimal: Decimal = "point",
    part: Annotated[bool, Option("--part", help="Files are a part of the bill: keep other lines.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Import a cloud bill in FOCUS (CSV, gzipped CSV or Parquet) as events with a reported cost.

    Several files, or a folder, are the parts of one bill. Importing a bill again replaces it: lines with other amounts
    change, and lines that it no longer has are set to 0 and counted. Credits (negative amounts) are not imported: they
    are counted, with their sum.

    Examples:

        outlay import focus bill.parquet --dry-run
        outlay import focus november/ --cost BilledCost
    """
    paths = files_of(files)
    identities, bill = Identities(), Bill()

    def read(path: Path, opened: BinaryIO) -> Items:
        name = path.name if len(paths) > 1 else ""
        return bill.noting(read_focus(rows_of(path, opened), cost, decimal, identities, name))

    def removed(result: Imported) -> Items:
        return () if part else _removed_lines(bill, result, url, api_key)

    _run(paths, read, url, api_key, dry_run, as_json, removed)


@app.command()
def litellm(
    file: OneFile, url: Url = None, api_key: ApiKey = None, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Import LiteLLM's logs: StandardLoggingPayloads or rows of its spend logs, as JSON or one a line.

    Examples:

        outlay import litellm spend-logs.json
    """
    must_be_text(file, packed=False)
    _run([file], lambda _, opened: _pieces(opened), url, api_key, dry_run, as_json)


def _removed_lines(bill: Bill, result: Imported, url: str | None, api_key: str | None) -> Items:
    """Yield the removals of lines that the ledger has of a bill and the files do not."""
    if bill.unreadable:
        note("lines that the bill no longer has are kept, because some of its lines cannot be read")
        return
    tenant = tenant_of(url, api_key)
    if tenant is None:
        note("lines that the bill no longer has are kept: the ledger cannot be reached from here")
        return
    with open_clickhouse() as clickhouse:
        yield from bill.removals(earlier_lines(clickhouse, tenant, bill.keys))
    result.removed, result.removed_cost = bill.removed, bill.removed_cost


def _column_map(path: Path) -> ColumnMap:
    try:
        return read_mapping(yaml.safe_load(path.read_text()))
    except (Invalid, yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}", "see docs/imports.md, Tables") from None


def _pieces(opened: BinaryIO) -> Items:
    """Read a file of one JSON value whole, a file of lines a thousand at a time."""
    try:
        if opened.peek(1)[:1] == b"[" or opened.readline().strip() == b"{":  # type: ignore[attr-defined]
            opened.seek(0)
            yield from read_litellm(opened.read())
            return
        opened.seek(0)
        while lines := opened.readlines(2**20):
            yield from read_litellm(b"".join(lines))
    except Invalid as why:
        raise CommandError(f"not a log of LiteLLM: {why}") from None


def _run(
    files: Sequence[Path],
    items: Callable[[Path, BinaryIO], Items],
    url: str | None,
    api_key: str | None,
    dry_run: bool,
    as_json: bool,
    last: Callable[[Imported], Items] = lambda _: (),
) -> None:
    """Import files one after the other, and then what `last` returns."""
    client = None if dry_run else IngestClient(*endpoint(url, api_key), SystemClock())
    result, before = Imported(), 0
    total = sum(file.stat().st_size for file in files)
    with progress_bar("importing", "bytes", as_json, total) as (bar, task):
        try:
            for file in files:
                with file.open("rb") as opened:
                    for _ in import_items(items(file, opened), client, result):
                        bar.update(task, completed=before + opened.tell())
                before += file.stat().st_size
            for _ in import_items(last(result), client, result):
                pass
        finally:
            if client is not None:
                client.__exit__()
    if as_json:
        print_json(result.as_dict())
    else:
        _show(result, dry_run)
    if result.refused > result.credit_rows:
        raise typer.Exit(1)


def _show(result: Imported, dry_run: bool) -> None:
    counts = f"{result.refused:,} refused, {result.ignored:,} without usage"
    if dry_run:
        line(f"{counted(result.sent, 'event')} would be sent; {counts}")
    else:
        line(f"{counted(result.sent, 'event')} sent, {result.accepted:,} accepted, {counts}")
    if result.first is not None:
        period = f"{result.first:%Y-%m-%d %H:%M} to {result.last:%Y-%m-%d %H:%M} UTC"
        line(f"{period}, reported cost {plain(result.reported)} USD", "dim")
    if result.removed:
        gone = f"{counted(result.removed, 'line')} of {plain(result.removed_cost)} USD"
        note(f"{gone} left the bill: set to 0 (see --part)")
    if result.credits:
        note(
            f"{counted(result.credit_rows, 'line')} with credits of {plain(result.credits)} USD were not imported"
        )
    for place, code, message in result.reasons[:_SHOWN]:
        note(f"  {place} {message} [{code}]")
    if len(result.reasons) > _SHOWN:
        note(f"  … and {result.refused - _SHOWN:,} more; --json has up to 1,000")
