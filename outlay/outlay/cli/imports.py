"""Commands that import history from files: tables by a mapping, cloud bills in FOCUS, LiteLLM's logs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

import typer
import yaml
from typer import Argument, Option

from outlay.bills import Bill, earlier_lines
from outlay.cli import options
from outlay.cli.help import App
from outlay.cli.output import CommandError, line, note, print_json, resumable
from outlay.cli.progress import progress_bar
from outlay.cli.stores import open_clickhouse
from outlay.client import BATCH_EVENTS, IngestClient, Sent
from outlay.local.state import endpoint, tenant_of
from outlay.table_files import files_of, must_be_text, rows_of
from outlay_ingest.domain.decoded_items import Item, Items
from outlay_ingest.domain.focus import read_focus
from outlay_ingest.domain.litellm import read_litellm
from outlay_ingest.domain.tables import ColumnMap, Identities, read_mapping, read_rows
from outlay_kit.clock import SystemClock
from outlay_reports.money import counted
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, encoder
from outlay_schemas.money import to_pico, to_usd

app = App("import", "Import history from files; it goes through ingest like any usage.")

OneFile = Annotated[Path, Argument(exists=True, dir_okay=False, help="The file.")]
_SHOWN = 20
_REASONS = 1000
CostColumn = Literal["EffectiveCost", "BilledCost", "ContractedCost", "ListCost"]


@dataclass(frozen=True, kw_only=True)
class Sending:
    """Options of every import."""

    ingest: options.Ingest
    dry_run: options.DryRun = False
    as_json: options.AsJson = False


@dataclass
class Imported:
    """What became of a file. `reported` is the sum of the reported costs that were sent, in USD."""

    sent: int = 0
    accepted: int = 0
    refused: int = 0
    ignored: int = 0
    credit_rows: int = 0
    credits: Decimal = Decimal(0)
    reported: Decimal = Decimal(0)
    removed: int = 0
    removed_cost: Decimal = Decimal(0)
    """Lines that a bill no longer has, which are among those sent, and the USD that they cost before."""
    first: datetime | None = None
    last: datetime | None = None
    reasons: list[tuple[str, str, str]] = field(default_factory=list)
    """Place, code and message of the first thousand refusals."""

    def refuse(self, place: str, code: str, message: str) -> None:
        """Count a refusal."""
        self.refused += 1
        if len(self.reasons) < _REASONS:
            self.reasons.append((place, code, message))

    def take(self, item: Item) -> UsageEvent | None:
        """Return the event of an item, or count why it has none."""
        event = item.event
        if isinstance(event, Invalid):
            self.refuse(item.place, event.code, event.message)
            return None
        if event.reported_cost is not None:
            if event.reported_cost < 0:
                self.credit_rows += 1
                self.credits += event.reported_cost
                self.refuse(item.place, "reported_cost_range", "a credit: a cost cannot be negative")
                return None
            self.reported += event.reported_cost
        self.first = min(self.first or event.time, event.time)
        self.last = max(self.last or event.time, event.time)
        return event

    def as_dict(self) -> dict[str, object]:
        """Return it for machines."""
        amounts = {name: _plain(getattr(self, name)) for name in ("removed_cost", "credits", "reported")}
        reasons = [{"place": p, "code": c, "message": m} for p, c, m in self.reasons]
        return {**asdict(self), **amounts, "reasons": reasons}


def _plain(amount: Decimal) -> str:
    """Write an amount of USD without trailing zeros."""
    return to_usd(to_pico(amount))


@app.command("csv")
def import_csv(
    *,
    file: OneFile,
    mapping: Annotated[
        Path, Option("--map", exists=True, dir_okay=False, help="YAML: which column holds what.")
    ],
    decimal: options.Decimal = "point",
    sending: Sending,
) -> None:
    """Import any table with a header (CSV, gzipped CSV or Parquet), by a mapping of its columns.

    A mapping: `{source: =vendor, time: started, sku: model, kind: =llm, usage: {input_tokens: prompt}, team: dept}`.
    Names are columns; a value that starts with = is used as it is. Importing a file twice counts once.

    Examples:

        outlay import csv usage.csv --map columns.yaml --dry-run
    """
    columns = _column_map(mapping)
    _run([file], lambda path, opened: read_rows(rows_of(path, opened), columns, decimal), sending)


@app.command()
def focus(
    *,
    files: Annotated[
        list[Path], Argument(metavar="FILE", exists=True, help="The files of one bill, or a folder.")
    ],
    cost: Annotated[CostColumn, Option(help="The amount that counts.")] = "EffectiveCost",
    decimal: options.Decimal = "point",
    part: Annotated[
        bool, Option("--part", help="The files are only a part of the bill: keep its other lines.")
    ] = False,
    sending: Sending,
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
        return () if part else _removed_lines(bill, result, sending.ingest)

    _run(paths, read, sending, removed)


@app.command()
def litellm(*, file: OneFile, sending: Sending) -> None:
    """Import LiteLLM's logs: StandardLoggingPayloads or rows of its spend logs, as JSON or NDJSON.

    Examples:

        outlay import litellm spend-logs.json
    """
    must_be_text(file, packed=False)
    _run([file], lambda _, opened: _pieces(opened), sending)


def _removed_lines(bill: Bill, result: Imported, ingest: options.Ingest) -> Items:
    if bill.unreadable:
        note("lines that the bill no longer has are kept, because some of its lines cannot be read")
        return
    tenant = tenant_of(ingest.url, ingest.api_key)
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
    read: Callable[[Path, BinaryIO], Items],
    sending: Sending,
    last: Callable[[Imported], Items] = lambda _: (),
) -> None:
    """Import files one after the other, and then what `last` returns."""
    ingest, result, before = sending.ingest, Imported(), 0
    client = None
    if not sending.dry_run:
        client = IngestClient(*endpoint(ingest.url, ingest.api_key), SystemClock())
    total = sum(file.stat().st_size for file in files)
    with (
        resumable() as done,
        client or nullcontext(),
        progress_bar("importing", "bytes", sending.as_json, total) as (bar, task),
    ):
        for file in files:
            with file.open("rb") as opened:
                for _ in _import(read(file, opened), client, result):
                    bar.update(task, completed=before + opened.tell())
                    done(f"{counted(result.accepted, 'event')} were accepted, the rest was not sent")
            before += file.stat().st_size
        for _ in _import(last(result), client, result):
            pass
    if sending.as_json:
        print_json(result.as_dict())
    else:
        _show(result, sending.dry_run)
    if result.refused > result.credit_rows:
        raise typer.Exit(1)


def _import(items: Items, client: IngestClient | None, into: Imported) -> Iterator[None]:
    """Send items; yield after each batch. Without a client nothing is sent. Raises SendError."""
    lines: list[bytes] = []
    places: list[str] = []
    for item in items:
        if item is None:
            into.ignored += 1
        elif event := into.take(item):
            lines.append(encoder.encode(event))
            places.append(item.place)
            if len(lines) >= BATCH_EVENTS:
                _send(lines, places, client, into)
                lines, places = [], []
                yield
    if lines:
        _send(lines, places, client, into)
    yield


def _send(lines: list[bytes], places: list[str], client: IngestClient | None, into: Imported) -> None:
    sent = Sent()
    if client is not None:
        client.send(lines, sent)
    into.sent += len(lines)
    into.accepted += sent.accepted
    for refused in sent.refused:
        into.refuse(places[refused.index], refused.code, f"{refused.path} {refused.message}")


def _show(result: Imported, dry_run: bool) -> None:
    counts = f"{result.refused:,} refused, {result.ignored:,} without usage"
    if dry_run:
        line(f"{counted(result.sent, 'event')} would be sent; {counts}")
    else:
        line(f"{counted(result.sent, 'event')} sent, {result.accepted:,} accepted, {counts}")
    if result.first is not None:
        period = f"{result.first:%Y-%m-%d %H:%M} to {result.last:%Y-%m-%d %H:%M} UTC"
        line(f"{period}, reported cost {_plain(result.reported)} USD", "dim")
    if result.removed:
        gone = f"{counted(result.removed, 'line')} of {_plain(result.removed_cost)} USD"
        note(f"{gone} no longer on the bill: set to 0 (see --part)")
    if result.credits:
        left = f"{counted(result.credit_rows, 'line')} with credits of {_plain(result.credits)} USD"
        note(f"{left} were not imported")
    for place, code, message in result.reasons[:_SHOWN]:
        note(f"  {place} {message} [{code}]")
    if len(result.reasons) > _SHOWN:
        note(f"  … and {result.refused - _SHOWN:,} more; --json has up to 1,000")
