"""Commands for what could not be used: list, show, mend and replay."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import AsJson, CommandError, friendly_errors, out, print_json, show

if TYPE_CHECKING:
    from outlay_aggregator.adapters.dead_letters import DeadLetters, Mended
    from outlay_aggregator.domain.edits import Edit
    from outlay_kit.kafka import KafkaSink

app = typer.Typer(
    name="dead-letters", no_args_is_help=True, help="What could not be used: whole, with its reason."
)

Tenant = Annotated[str, typer.Option("--tenant", help="Only of this tenant.")]
Stage = Annotated[str, typer.Option("--stage", help="Only those that ingest, pricer or aggregator refused.")]
Code = Annotated[str, typer.Option("--code", help="Only those with this reason.")]
Contains = Annotated[str, typer.Option("--contains", help="Only those that hold this text.")]
Since = Annotated[datetime | None, typer.Option("--since", help="Only those refused since; UTC.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most that many, the oldest.")]


@app.command("list")
@friendly_errors
def list_(
    *,
    tenant: Tenant = "",
    stage: Stage = "",
    code: Code = "",
    contains: Contains = "",
    since: Since = None,
    replayed: Annotated[bool, typer.Option("--replayed", help="Those too that were replayed.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how many there are, by tenant, stage and reason."""
    from outlay_aggregator.adapters.dead_letters import Filter

    letters = _letters()
    chosen = Filter(tenant, stage, code, since=_at(since), contains=contains, replayed=replayed)
    show(as_json, letters.counts(chosen), "Dead letters", "no dead letters")


@app.command("show")
@friendly_errors
def show_(
    *,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Which. Default: those that the options choose.")
    ] = None,
    tenant: Tenant = "",
    stage: Stage = "",
    code: Code = "",
    contains: Contains = "",
    since: Since = None,
    limit: Limit = 20,
    as_json: AsJson = False,
) -> None:
    """Show dead letters whole: where they came from, why they were refused, and their bytes.

    Example:

      outlay dead-letters show 5f0c7a1b
    """
    from outlay_aggregator.adapters.dead_letters import Filter

    found = _letters().find(
        Filter(tenant, stage, code, tuple(ids or ()), _at(since), contains, replayed=True, limit=limit)
    )
    if as_json:
        print_json([{**asdict(each), "body": each.body.decode("utf-8", "replace")} for each in found])
        return
    for each in found:
        place = f" {each.topic}/{each.partition}@{each.offset}" if each.topic else ""
        again = " replayed" if each.replayed else ""
        out.print(f"[bold]{each.id}[/] {each.at:%Y-%m-%d %H:%M:%S} {each.stage} {each.tenant}{place}{again}")
        out.print(f"  {each.path}: {each.message} [{each.code}]", markup=False, soft_wrap=True)
        out.print("  " + each.body[:2000].decode("utf-8", "replace"), markup=False, soft_wrap=True)
    if not found:
        out.print("no dead letters", style="dim")


@app.command()
@friendly_errors
def replay(
    *,
    ids: Annotated[
        list[str] | None, typer.Argument(help="Which. Default: those that the options choose.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Set a field.")
    ] = None,
    delete: Annotated[
        list[str] | None, typer.Option("--delete", metavar="PATH", help="Remove a field.")
    ] = None,
    rename: Annotated[
        list[str] | None, typer.Option("--rename", metavar="OLD=NEW", help="Move a field.")
    ] = None,
    tenant: Tenant = "",
    stage: Stage = "",
    code: Code = "",
    contains: Contains = "",
    since: Since = None,
    limit: Limit = 1000,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be sent; send nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Mend dead letters and send them again, each once. Exit status 1 if some still cannot be used.

    Renames are made first, then deletions, then settings.

    Examples:

      outlay dead-letters replay --code event_invalid --rename usage.tokens=usage.input_tokens --dry-run

      outlay dead-letters replay 5f0c... --set usage.input_tokens=5 --delete tags.x
    """
    from outlay.local import stores
    from outlay_aggregator.adapters.dead_letters import Filter
    from outlay_kit.kafka import KafkaSink

    edits = _edits(rename, delete, set_)
    sink = None if dry_run else KafkaSink(stores(write=True)[0])
    letters = _letters(sink)
    found = letters.find(Filter(tenant, stage, code, tuple(ids or ()), _at(since), contains, limit=limit))
    mended = [letters.mend(each, edits) for each in found]
    sent = 0 if dry_run else letters.replay(mended)
    if sink is not None:
        sink.close()
    refused = [each for each in mended if each.refusal]
    if as_json:
        rows = [
            {
                "id": m.letter.id,
                "topic": m.topic,
                "body": m.body.decode("utf-8", "replace"),
                "refusal": m.refusal,
            }
            for m in mended
        ]
        print_json({"found": len(found), "sent": sent, "refused": len(refused), "letters": rows})
    else:
        _print(mended, dry_run)
        out.print(f"found {len(found)}, sent {sent}, still refused {len(refused)}")
    if refused:
        raise typer.Exit(1)


def _print(mended: "list[Mended]", dry_run: bool) -> None:
    for each in mended[:20]:
        if each.refusal:
            out.print(f"{each.letter.id} still refused: {each.refusal}", markup=False, soft_wrap=True)
        elif dry_run:
            text = each.body[:2000].decode("utf-8", "replace")
            out.print(f"{each.letter.id} -> {each.topic}: {text}", markup=False, soft_wrap=True)


def _edits(renames: list[str] | None, deletes: list[str] | None, sets: list[str] | None) -> "list[Edit]":
    from outlay_aggregator.domain.edits import Edit
    from outlay_schemas.errors import Invalid

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


def _at(since: datetime | None) -> datetime | None:
    return since.replace(tzinfo=UTC) if since else None


def _letters(sink: "KafkaSink | None" = None) -> "DeadLetters":
    from outlay.local import stores
    from outlay_aggregator.adapters.dead_letters import DeadLetters
    from outlay_kit.clickhouse import ClickHouseClient
    from outlay_schemas.topics import COST_EVENTS

    clickhouse = ClickHouseClient(stores(write=sink is not None)[1])
    partitions = 1 if sink is None else sink.partitions(COST_EVENTS.name)
    return DeadLetters(clickhouse, sink, _opened, partitions)


def _opened(body: bytes, tenant: str) -> bytes:
    """Read what was refused: a usage event as it is, or in its CloudEvents envelope. Raises Invalid."""
    import msgspec

    from outlay_aggregator.adapters.dead_letters import plain
    from outlay_schemas.cloudevents import open_envelope
    from outlay_schemas.errors import Invalid
    from outlay_schemas.events import encoder

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
