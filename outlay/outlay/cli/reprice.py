"""Commands about the price of events in the ledger: explain, reprice."""

import dataclasses
from itertools import islice
from typing import Annotated

import msgspec
from typer import Argument, Option

from outlay.catalog.explain import why
from outlay.catalog.reprice import Repriced, Repricing, arrived
from outlay.cli.errors import CommandError
from outlay.cli.options import DEFAULT_BY, AsJson, DryRun, GroupBy, Tenant, read_dimensions, read_moment
from outlay.cli.output import line, note, print_json, working
from outlay.cli.price_tables import plan_json, show_plan, show_why
from outlay.cli.report_query import require_tenants
from outlay.cli.stores import SHOWN, open_clickhouse, read_published, require_kept
from outlay.local.state import stores
from outlay_kit.clock import SystemClock
from outlay_kit.kafka import KafkaSink
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.money import counted


def explain(
    event_id: Annotated[str, Argument(metavar="EVENT_ID", help="The id of an event in the ledger.")],
    source: Annotated[str, Option(help="Source of the event, if several have this id.")] = "",
    tenant: Tenant = "",
    as_json: AsJson = False,
) -> None:
    """Show why an event costs what it costs: the rule, the arithmetic line by line, the price's source and date.

    The catalog revision that priced the event explains it, however old that is.

    Examples:

        outlay explain 5f0c2a71 --source checkout/api
    """
    with open_clickhouse() as clickhouse, working("looking it up"):
        require_tenants(CostReader(clickhouse), (tenant,))
        ledger, kafka = LedgerReader(clickhouse), stores()[0]
        found = list(islice(ledger.events(Selection(id=event_id, source=source, tenant=tenant)), SHOWN))
        answers = [why(cost, ledger, kafka) for cost in found]
    if not answers:
        raise CommandError(
            f'no event in the ledger has the id "{event_id}"',
            "look for it among the dead letters: outlay dead-letters list",
        )
    if as_json:
        print_json(msgspec.to_builtins(answers))
    else:
        for answer in answers:
            show_why(answer)


def reprice(
    since: Annotated[str, Option(metavar="TIME", help="Events from this time on.")],
    *,
    until: Annotated[str | None, Option(metavar="TIME", help="Events before this time.")] = None,
    sku: Annotated[str, Option(help="Only this model or SKU; * matches anything.")] = "",
    provider: Annotated[str, Option(help="Only this provider; * matches anything.")] = "",
    tenant: Tenant = "",
    unpriced: Annotated[bool, Option("--unpriced", help="Only unpriced and estimated events.")] = False,
    by: GroupBy = DEFAULT_BY,
    dry_run: DryRun = False,
    patience: Annotated[float, Option(help="Seconds to wait for the ledger.")] = 120.0,
    as_json: AsJson = False,
) -> None:
    """Price past events again by the catalog in force, if that makes a difference.

    Each event is priced as of its own time. Events whose price differs are sent again, as newer revisions. Try first
    with --dry-run.

    Examples:

        outlay reprice --since 2026-11-01 --sku 'claude-*' --dry-run
        outlay reprice --since 2026-11-01 --unpriced
    """
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
            note(
                f"{month.month} is closed for {month.tenant} ({month.zone}): its statements stay, and "
                f"{month.change} USD of {counted(month.events, 'event')} appear there as amendments"
            )
        if result.refused:
            note(f"this catalog would refuse {counted(result.refused, 'event')}, unchanged in the ledger")
        line("nothing was written" if dry_run else f"a new revision for {counted(result.sent, 'event')}")
    if missing:
        raise CommandError(
            f"the ledger does not have all {result.sent:,} new revisions yet",
            "check the system: outlay status",
        )


def _reprice(wanted: Selection, groups: list[str], dry_run: bool, patience: float) -> tuple[Repriced, bool]:
    """Return the result, and whether the ledger still lacks some of it."""
    catalog = CompiledCatalog(read_published())
    older = dataclasses.replace(wanted, before_revision=catalog.revision)
    with open_clickhouse() as clickhouse:
        require_tenants(CostReader(clickhouse), (wanted.tenant,))
        ledger = LedgerReader(clickhouse)
        before = ledger.count(older)
        sink = None if dry_run else KafkaSink(stores()[0])
        try:
            with working(f"pricing {counted(before, 'event')} again"):
                result = Repricing(ledger, catalog, sink).run(wanted, groups)
        finally:
            if sink is not None:
                sink.close()
        with working("waiting for the ledger"):
            done = not result.sent or arrived(
                ledger, older, before=before, sent=result.sent, clock=SystemClock(), patience=patience
            )
    return result, not done
