"""Commands about dead letters, events that could not be used: list, show, edit and replay."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import typer
from typer import Argument, Option

from outlay.cli.errors import CommandError
from outlay.cli.help import App
from outlay.cli.options import AsJson, DryRun
from outlay.cli.output import line, print_json, print_rows
from outlay.cli.report_query import require_tenants
from outlay.cli.stores import open_clickhouse
from outlay.local.state import stores
from outlay_aggregator.adapters.dead_letters import DeadLetters, Filter, Replay, StoredDeadLetter, plain
from outlay_aggregator.domain.edits import Edit
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.kafka import KafkaSink
from outlay_reports.adapters.cost_reader import CostReader
from outlay_schemas.cloudevents import open_envelope
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, encoder
from outlay_schemas.topics import COST_EVENTS

app = App("dead-letters", "List, show, edit and replay events that could not be used.")
_SHOWN = 20
_BODY = 2000
"""Most characters of a body that people see; --json has it whole."""
Stage = Literal["ingest", "pricer", "aggregator"]

Ids = Annotated[list[str] | None, Argument(metavar="ID", help="Default: those that the options choose.")]
Tenant = Annotated[str, Option("--tenant", help="Only of this tenant.")]
ByStage = Annotated[Stage | None, Option("--stage", help="Only those that this service refused.")]
Code = Annotated[str, Option("--code", help="Only those with this error code (docs/errors.md).")]
Contains = Annotated[str, Option("--contains", metavar="TEXT", help="Only those with this text.")]
Since = Annotated[datetime | None, Option("--since", help="Only those refused since this time, UTC.")]
Limit = Annotated[int, Option("--limit", min=1, max=100_000, help="At most this many, oldest first.")]


@app.command("list")
def list_counts(
    *,
    tenant: Tenant = "",
    stage: ByStage = None,
    code: Code = "",
    contains: Contains = "",
    since: Since = None,
    replayed: Annotated[bool, Option("--replayed", help="Also those that were replayed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by tenant, stage and reason."""
    with _open() as (clickhouse, dead_letters):
        rows = dead_letters.counts(
            _filter(None, tenant, stage, code, since=since, contains=contains, replayed=replayed)
        )
        if not rows and tenant:
            require_tenants(CostReader(clickhouse), (tenant,))
    print_rows(as_json, rows, "Dead letters", "no dead letters")


@app.command("show")
def show_whole(
    *,
    ids: Ids = None,
    tenant: Tenant = "",
    stage: ByStage = None,
    code: Code = "",
    contains: Contains = "",
    since: Since = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Show dead letters whole: their origin, why they were refused, and their bytes.

    Examples:

        outlay dead-letters show 5f0c7a1b
    """
    with _open() as (_, dead_letters):
        found = _find(
            dead_letters,
            _filter(ids, tenant, stage, code, since=since, contains=contains, replayed=True, limit=limit),
        )
    if as_json:
        print_json([{**asdict(each), "body": each.body.decode("utf-8", "replace")} for each in found])
        return
    for each in found:
        place = f" {each.topic}/{each.partition}@{each.offset}" if each.topic else ""
        again = " replayed" if each.replayed else ""
        line(f"{each.id} {each.at:%Y-%m-%d %H:%M:%S} {each.stage} {each.tenant}{place}{again}", "bold")
        line(f"  {each.path}: {each.message} [{each.code}]")
        line("  " + each.body[:_BODY].decode("utf-8", "replace"))
    if not found:
        line("no dead letters", "dim")


@app.command()
def replay(
    *,
    ids: Ids = None,
    set_: Annotated[list[str] | None, Option("--set", metavar="PATH=VALUE", help="Set a field.")] = None,
    delete: Annotated[list[str] | None, Option("--delete", metavar="PATH", help="Remove a field.")] = None,
    rename: Annotated[list[str] | None, Option("--rename", metavar="OLD=NEW", help="Move a field.")] = None,
    tenant: Tenant = "",
    stage: ByStage = None,
    code: Code = "",
    contains: Contains = "",
    since: Since = None,
    limit: Limit = 1000,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Edit dead letters and send them again, each once. Exit status 1 if some still cannot be used.

    Renames come first, then deletions, then settings.

    Examples:

        outlay dead-letters replay --code event_invalid --rename usage.tokens=usage.input_tokens --dry-run
        outlay dead-letters replay 5f0c... --set usage.input_tokens=5 --delete tags.x
    """
    edits = _edits(rename, delete, set_)
    sink = None if dry_run else KafkaSink(stores(write=True)[0])
    try:
        with _open(sink) as (_, dead_letters):
            found = _find(
                dead_letters, _filter(ids, tenant, stage, code, since=since, contains=contains, limit=limit)
            )
            edited = [dead_letters.prepare(each, edits) for each in found]
            sent = 0 if dry_run else dead_letters.replay(edited)
    finally:
        if sink is not None:
            sink.close()
    refused = [each for each in edited if each.refusal]
    if as_json:
        rows = [
            {
                "id": m.dead_letter.id,
                "topic": m.topic,
                "body": m.body.decode("utf-8", "replace"),
                "refusal": m.refusal,
            }
            for m in edited
        ]
        print_json({"found": len(found), "sent": sent, "refused": len(refused), "dead_letters": rows})
    else:
        _print(edited, dry_run)
        line(f"found {len(found)}, sent {sent}, still refused {len(refused)}")
    if refused:
        raise typer.Exit(1)


def _print(edited: list[Replay], dry_run: bool) -> None:
    for each in edited[:_SHOWN]:
        if each.refusal:
            line(f"{each.dead_letter.id} still refused: {each.refusal}")
        elif dry_run:
            line(f"{each.dead_letter.id} -> {each.topic}: {each.body[:_BODY].decode('utf-8', 'replace')}")


def _edits(renames: list[str] | None, deletes: list[str] | None, sets: list[str] | None) -> list[Edit]:
    try:
        return [
            *map(Edit.rename, renames or ()),
            *map(Edit.delete, deletes or ()),
            *map(Edit.set, sets or ()),
        ]
    except Invalid as error:
        raise CommandError(
            error.message, "write paths as usage.input_tokens, a dot in a name as \\."
        ) from None


def _filter(
    ids: list[str] | None,
    tenant: str,
    stage: Stage | None,
    code: str,
    *,
    since: datetime | None,
    contains: str,
    replayed: bool = False,
    limit: int = 1000,
) -> Filter:
    at = since.replace(tzinfo=UTC) if since else None
    return Filter(tenant, stage or "", code, tuple(ids or ()), at, contains, replayed=replayed, limit=limit)


def _find(dead_letters: DeadLetters, chosen: Filter) -> list[StoredDeadLetter]:
    """Return the chosen dead letters. Raises CommandError for an id that none has."""
    found = dead_letters.find(chosen)
    for name in chosen.ids:
        if not any(each.id == name for each in found):
            raise CommandError(
                f'no dead letter "{name}" is left to use',
                "it may be replayed already: outlay dead-letters show",
            )
    return found


@contextmanager
def _open(sink: KafkaSink | None = None) -> Iterator[tuple[ClickHouseClient, DeadLetters]]:
    partitions = 1 if sink is None else sink.partitions(COST_EVENTS.name)
    with open_clickhouse(write=sink is not None) as clickhouse:
        yield clickhouse, DeadLetters(clickhouse, sink, _opened, partitions)


def _opened(body: bytes, tenant: str) -> UsageEvent:
    """Read a refused body: a usage event as it is, or in its CloudEvents envelope. Raises Invalid."""
    try:
        return plain(body, tenant)
    except Invalid:
        if b'"specversion"' not in body:
            raise
    try:
        event = open_envelope(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Invalid("event_invalid", str(error)) from None
    return plain(encoder.encode(event), tenant)
