"""Commands about dead letters, events that could not be used: list, show, edit and replay."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
import typer
from typer import Argument, Option

from outlay.cli.help import App
from outlay.cli.options import AsJson, DryRun
from outlay.cli.output import CommandError, line, print_json, print_rows, resumable
from outlay.cli.stores import open_clickhouse, open_sink, require_tenants
from outlay_aggregator.adapters.dead_letters import DeadLetters, Filter, StoredDeadLetter, plain
from outlay_aggregator.domain.edits import Edit
from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.money import counted
from outlay_schemas.cloudevents import open_envelope
from outlay_schemas.errors import Invalid
from outlay_schemas.events import UsageEvent, encoder
from outlay_schemas.topics import COST_EVENTS

app = App("dead-letters", "List, show, edit and replay events that could not be used.")
_SHOWN = 20
_BODY = 2000  # most characters of a body that people see; --json has it whole
Stage = Literal["ingest", "pricer", "aggregator"]

Ids = Annotated[list[str] | None, Argument(metavar="ID", help="Default: those that the options choose.")]
Limit = Annotated[int, Option("--limit", min=1, max=100_000, help="At most this many, oldest first.")]


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Options that choose dead letters."""

    tenant: Annotated[str, Option(help="Only of this tenant.")] = ""
    stage: Annotated[Stage | None, Option(help="Only those that this service refused.")] = None
    code: Annotated[str, Option(help="Only those with this error code (docs/errors.md).")] = ""
    contains: Annotated[str, Option(metavar="TEXT", help="Only those with this text.")] = ""
    since: Annotated[datetime | None, Option(help="Only those refused since this time, UTC.")] = None

    def filter(self, ids: list[str] | None = None, limit: int = 1000, *, replayed: bool = False) -> Filter:
        """Return them as a filter of the table."""
        since = self.since.replace(tzinfo=UTC) if self.since else None
        stage, names = self.stage or "", tuple(ids or ())
        return Filter(
            self.tenant, stage, self.code, names, since, self.contains, replayed=replayed, limit=limit
        )


@app.command("list")
def list_counts(
    *,
    chosen: Chosen,
    replayed: Annotated[bool, Option("--replayed", help="Also those that were replayed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Count dead letters by tenant, stage and reason."""
    with _open() as (clickhouse, dead_letters):
        rows = dead_letters.counts(chosen.filter(replayed=replayed))
        if not rows:
            require_tenants(CostReader(clickhouse), (chosen.tenant,))
    print_rows(as_json, rows, "Dead letters", "no dead letters")


@app.command("show")
def show_whole(*, ids: Ids = None, chosen: Chosen, limit: Limit = 20, as_json: AsJson = False) -> None:
    """Show dead letters in full: their origin, why they were refused, and their bytes.

    Examples:

        outlay dead-letters show 5f0c7a1b
    """
    with _open() as (_, dead_letters):
        found = _find(dead_letters, chosen.filter(ids, limit, replayed=True))
    if as_json:
        print_json([{**asdict(each), "body": _text(each.body)} for each in found])
        return
    for each in found:
        place = f" {each.topic}/{each.partition}@{each.offset}" if each.topic else ""
        again = " replayed" if each.replayed else ""
        line(f"{each.id} {each.at:%Y-%m-%d %H:%M:%S} {each.stage} {each.tenant}{place}{again}", "bold")
        line(f"  {each.path}: {each.message} [{each.code}]")
        line("  " + _text(each.body[:_BODY]))
    if not found:
        line("no dead letters", "dim")


@app.command()
def replay(
    *,
    ids: Ids = None,
    set_: Annotated[list[str] | None, Option("--set", metavar="PATH=VALUE", help="Set a field.")] = None,
    delete: Annotated[list[str] | None, Option("--delete", metavar="PATH", help="Remove a field.")] = None,
    rename: Annotated[list[str] | None, Option("--rename", metavar="OLD=NEW", help="Move a field.")] = None,
    chosen: Chosen,
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
    with resumable() as done, _open(replay=not dry_run) as (_, dead_letters):
        found = _find(dead_letters, chosen.filter(ids, limit))
        edited = [dead_letters.prepare(each, edits) for each in found]

        def progress(sent: int) -> None:
            done(f"{sent:,} of {counted(len(found), 'dead letter')} were sent, and up to 100 of the rest")

        progress(0)
        sent = 0 if dry_run else dead_letters.replay(edited, progress)
    refused = [each for each in edited if each.refusal]
    if as_json:
        rows = [
            {"id": m.dead_letter.id, "topic": m.topic, "body": _text(m.body), "refusal": m.refusal}
            for m in edited
        ]
        print_json({"found": len(found), "sent": sent, "refused": len(refused), "dead_letters": rows})
    else:
        for each in edited[:_SHOWN]:
            if each.refusal:
                line(f"{each.dead_letter.id} still refused: {each.refusal}")
            elif dry_run:
                line(f"{each.dead_letter.id} -> {each.topic}: {_text(each.body[:_BODY])}")
        line(f"found {len(found)}, sent {sent}, still refused {len(refused)}")
    if refused:
        raise typer.Exit(1)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _edits(renames: list[str] | None, deletes: list[str] | None, sets: list[str] | None) -> list[Edit]:
    kinds = ((Edit.rename, renames), (Edit.delete, deletes), (Edit.set, sets))
    try:
        return [edit(text) for edit, texts in kinds for text in texts or ()]
    except Invalid as error:
        hint = "write paths as usage.input_tokens, a dot in a name as \\."
        raise CommandError(error.message, hint) from None


def _find(dead_letters: DeadLetters, chosen: Filter) -> list[StoredDeadLetter]:
    found = dead_letters.find(chosen)
    if missing := [name for name in chosen.ids if not any(each.id == name for each in found)]:
        hint = "it may be replayed already: outlay dead-letters show"
        raise CommandError(f'no dead letter "{missing[0]}" is left to use', hint)
    return found


@contextmanager
def _open(*, replay: bool = False) -> Iterator[tuple[ClickHouseClient, DeadLetters]]:
    with open_sink(dry_run=not replay) as sink, open_clickhouse(write=replay) as clickhouse:
        partitions = sink.partitions(COST_EVENTS.name) if sink else 1
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
