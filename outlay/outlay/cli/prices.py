"""Commands about what an event costs: price, explain, reprice."""

import dataclasses
import gc
import sys
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from outlay.cli.common import AsJson, CommandError, err, friendly_errors, out, print_json, working
from outlay.cli.events import FileArgument, events_of, lines_of
from outlay.cli.price_tables import show_why
from outlay.cli.pricing_options import (
    DEFAULT_BY,
    SHOWN,
    By,
    CatalogFolder,
    Refusals,
    open_ledger,
    plan_json,
    read_dimensions,
    read_folder,
    read_moment,
    read_published,
    show_plan,
)
from outlay.cli.retention import require_kept

if TYPE_CHECKING:
    from outlay.catalog.reprice import Repriced
    from outlay_pricer.ledger import Selection
    from outlay_schemas.events import CostEvent

_BLOCK = 500
"""Cost events written at once."""


@friendly_errors
def price(
    file: FileArgument,
    *,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Price as of then, not as of each event's own time.")
    ] = None,
    catalog: CatalogFolder = None,
    as_model: Annotated[
        str | None, typer.Option(metavar="PROVIDER/MODEL", help="What if this model had answered every call?")
    ] = None,
    as_book: Annotated[
        str | None, typer.Option(metavar="BOOK", help="What if this price book came first?")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Show by group what the what-if changes, instead of events.")
    ] = False,
    by: By = DEFAULT_BY,
    as_json: AsJson = False,
) -> None:
    """Price usage events offline: NDJSON in, NDJSON cost events out. No stack is needed.

    A line that is no usage event is named on stderr, with its place and its mend; it holds back no other line, and the
    command then ends with 1. What has no price comes out as unpriced, with the reason in price_ref.

    Examples:

      outlay price usage.ndjson > costs.ndjson

      outlay price usage.ndjson --as-model anthropic/claude-haiku-4-5 --compare --by team
    """
    gc.set_threshold(200_000)  # nothing here is circular; looking for circles took a sixth of the time
    from outlay.catalog.offline import price_lines, read_lines
    from outlay.catalog.what_if import what_if
    from outlay_pricer.domain.compare import compare as difference

    moment = None if at is None else read_moment(at)
    groups = read_dimensions(by)
    if compare and as_model is None and as_book is None:
        raise CommandError("--compare has nothing to compare with", "add --as-model or --as-book")
    try:
        before, after = what_if(read_folder(catalog), as_model, as_book)
    except ValueError as error:
        raise CommandError(str(error), "outlay catalog show lists what has a price") from None
    refused = Refusals(as_json)
    lines = events_of(lines_of(file))
    if compare:
        found = difference(
            before, after, (event for _, event in refused.sift(read_lines(lines, moment))), groups
        )
        if as_json:
            print_json(plan_json(found))
        else:
            show_plan(found, f"as {as_model or as_book}")
    else:
        _write(refused.sift(price_lines(lines, after, moment)))
    if refused.count:
        raise typer.Exit(1)


def _write(costs: "Iterable[CostEvent]") -> None:
    """Write cost events to stdout, as NDJSON."""
    from outlay_schemas.events import encoder

    rest = iter(costs)
    while block := list(islice(rest, _BLOCK)):
        sys.stdout.buffer.write(encoder.encode_lines(block))
        sys.stdout.buffer.flush()


@friendly_errors
def explain(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="The id of an event in the ledger.")],
    source: Annotated[str, typer.Option(help="Whose event, where several sources have this id.")] = "",
    tenant: Annotated[str, typer.Option(help="Whose cost.")] = "",
    as_json: AsJson = False,
) -> None:
    """Show why an event costs what it costs: the rule, the arithmetic line by line, the price's source and date.

    It is explained by the catalog that priced it, however old that is.

    Examples:

      outlay explain 5f0c2a71 --source checkout/api
    """
    import msgspec

    from outlay.catalog.explain import why
    from outlay.local import stores
    from outlay_pricer.ledger import Selection

    kafka, _ = stores()
    with open_ledger() as ledger, working("looking it up"):
        found = list(islice(ledger.events(Selection(id=event_id, source=source, tenant=tenant)), SHOWN))
        answers = [why(cost, ledger, kafka) for cost in found]
    if not answers:
        raise CommandError(
            f"no event in the ledger has the id {event_id}",
            "if it was sent, it may be a dead letter: outlay dead-letters list",
        )
    if as_json:
        print_json(msgspec.to_builtins(answers))
    else:
        for answer in answers:
            show_why(answer)


@friendly_errors
def reprice(
    since: Annotated[str, typer.Option(metavar="TIME", help="Events from then on.")],
    *,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Events before then.")] = None,
    sku: Annotated[str, typer.Option(help="Only this sku; with * a pattern.")] = "",
    provider: Annotated[str, typer.Option(help="Only this provider.")] = "",
    tenant: Annotated[str, typer.Option(help="Only this tenant.")] = "",
    unpriced: Annotated[bool, typer.Option("--unpriced", help="Only what is unpriced or estimated.")] = False,
    by: By = DEFAULT_BY,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the difference, write nothing.")] = False,
    patience: Annotated[float, typer.Option(help="Seconds to wait for the ledger.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Price history again by the catalog in force, where that makes a difference.

    Each event keeps its own time: it is priced as of then. What differs goes the normal way, as a newer revision of the
    same event. Look first: --dry-run.

    Examples:

      outlay reprice --since 2026-11-01 --sku 'claude-*' --dry-run

      outlay reprice --since 2026-11-01 --unpriced
    """
    import msgspec

    from outlay_pricer.ledger import Selection

    end = None if until is None else read_moment(until, "--until")
    begin = read_moment(since, "--since")
    require_kept(begin, "--since", "an event from before would be refused with its new price")
    wanted = Selection(begin, end, tenant, provider, sku, unsure=unpriced)
    groups = read_dimensions(by)
    result, missing = _reprice(wanted, groups, dry_run, patience)
    if as_json:
        counts = {"sent": result.sent, "refused": result.refused, "dry_run": dry_run, "arrived": not missing}
        amended = msgspec.to_builtins(result.amended)
        print_json({**counts, **plan_json(result.plan), "amended": amended})
    else:
        show_plan(result.plan, "priced again")
        for month in result.amended:
            err.print(
                f"{month.month} is closed for {month.tenant} ({month.zone}): its statements stay, and "
                f"{month.change} USD of {month.events:,} events are shown there as amendments",
                markup=False,
                soft_wrap=True,
            )
        if result.refused:
            err.print(f"{result.refused:,} events would be refused by this catalog; they stay as they are")
        out.print("nothing was written" if dry_run else f"{result.sent:,} events have a new revision")
    if missing:
        raise CommandError(
            f"the ledger does not have all {result.sent:,} new revisions yet",
            "see whether all is well: outlay status",
        )


def _reprice(
    wanted: "Selection", groups: list[str], dry_run: bool, patience: float
) -> "tuple[Repriced, bool]":
    """Return what came of it, and whether the ledger still lacks some of it."""
    from outlay.catalog.reprice import Repricing, arrived
    from outlay.local import stores
    from outlay_kit.clock import SystemClock
    from outlay_kit.kafka import KafkaSink
    from outlay_pricer.domain import CompiledCatalog

    kafka, _ = stores()
    catalog = CompiledCatalog.from_catalog(read_published())
    older = dataclasses.replace(wanted, before_revision=catalog.revision)
    with open_ledger() as ledger:
        before = ledger.count(older)
        sink = None if dry_run else KafkaSink(kafka)
        try:
            with working(f"pricing {before:,} events again"):
                result = Repricing(ledger, catalog, sink).run(wanted, groups)
        finally:
            if sink is not None:
                sink.close()
        with working("waiting for the ledger"):
            done = not result.sent or arrived(
                ledger, older, before=before, sent=result.sent, clock=SystemClock(), patience=patience
            )
    return result, not done
