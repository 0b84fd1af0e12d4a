"""Commands about the price of events in the ledger: explain, reprice."""

import dataclasses
from collections.abc import Iterator
from itertools import islice
from typing import Annotated

from typer import Argument, Option

from outlay.catalog.reprice import Repriced, Why, arrived, price_again, why
from outlay.cli.options import DEFAULT_BY, AsJson, DryRun, GroupBy, Tenant, read_dimensions, read_moment
from outlay.cli.output import (
    CommandError,
    line,
    note,
    print_json,
    print_table,
    resumable,
    warn,
    working,
)
from outlay.cli.price import origin_of, show_plan
from outlay.cli.stores import SHOWN, open_clickhouse, open_sink, read_published, require_kept
from outlay.local.state import stores
from outlay_kit.clock import SystemClock
from outlay_pricer.domain import CompiledCatalog
from outlay_pricer.domain.explain import Explanation
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_reports.money import counted
from outlay_schemas.dimensions import OWNERS, name_of
from outlay_schemas.events import CostEvent


def explain(
    event_id: Annotated[str, Argument(metavar="EVENT_ID", help="The id of an event in the ledger.")],
    source: Annotated[str, Option(help="Source of the event, if several have this id.")] = "",
    tenant: Tenant = "",
    as_json: AsJson = False,
) -> None:
    """Show why an event costs what it costs: the rule, the arithmetic line by line, the price's source and date.

    It uses the catalog revision that priced the event, however old that is.

    Examples:

        outlay explain 5f0c2a71 --source checkout/api
    """
    with open_clickhouse(tenant) as clickhouse, working("looking it up"):
        ledger, kafka = LedgerReader(clickhouse), stores()[0]
        found = list(islice(ledger.events(Selection(id=event_id, source=source, tenant=tenant)), SHOWN))
        answers = [why(cost, ledger, kafka) for cost in found]
    if not answers:
        hint = "look for it among the dead letters: outlay dead-letters list"
        raise CommandError(f'no event in the ledger has the id "{event_id}"', hint)
    if as_json:
        print_json(answers)
    else:
        for answer in answers:
            _show_why(answer)


def _show_why(answer: Why) -> None:
    event = answer.event
    line(f"{event.source} {event.id}", "bold")
    for fact in _facts(event):
        line(f"  {fact}")
    if not answer.own:
        gone = f"catalog revision {event.revision}, which priced it, is no longer kept"
        note(f"{gone}: explained by {answer.revision}")
    if answer.refused:
        note(f"that revision refuses it: {answer.refused}")
    if answer.explanation is not None:
        _show_steps(answer.explanation)
    if not answer.same and not answer.refused:
        warn("this differs from the ledger; see outlay reprice --dry-run")


def _facts(event: CostEvent) -> Iterator[str]:
    yield f"{event.time:%Y-%m-%d %H:%M:%S.%f} UTC · {event.kind} · {event.provider}/{event.sku} · tenant {event.tenant}"
    yield "used " + ", ".join(f"{quantity} {meter}" for meter, quantity in event.usage.items())
    if event.attributes:
        yield "attributes " + ", ".join(f"{name}={value}" for name, value in event.attributes.items())
    for name, value in ((name, getattr(event, name)) for name in (*OWNERS, "activity")):
        if value or name in event.given:
            sent = event.given.get(name)
            origin = "" if sent is None else f" (sent: {sent or 'nothing'})"
            yield f"{name} {name_of(value)}{origin}"
    cost = "no price" if event.cost is None else f"{event.cost} USD"
    bound = " at least" if event.price_status == "unpriced" and event.cost is not None else ""
    yield f"{event.price_status}:{bound} {cost}, by {event.price_ref}, catalog revision {event.revision}"
    if event.charged is not None:
        yield f"charged internally {event.charged} USD"
    if event.list_cost is not None:
        yield f"at list prices {event.list_cost} USD"
    if event.reported_cost is not None:
        yield f"the producer reported {event.reported_cost} USD"


def _show_steps(explanation: Explanation) -> None:
    rows = [
        [one.meter, one.quantity, one.price and f"{one.price} {one.currency}", one.per, one.amount, one.note]
        for one in explanation.steps
    ]
    if rows:
        cost = "no price" if explanation.event.cost is None else explanation.event.cost
        rows.append(["cost", "", "", "", cost, explanation.event.price_status])
    print_table("", ["meter", ">quantity", ">price", ">per", ">USD", ""], rows, "nothing was priced")
    if explanation.reason:
        line(f"no price because: {explanation.reason}")
    for guess in explanation.guesses:
        line(f"assumed: {guess}")
    for one in explanation.sources:
        origin = origin_of(one.source, one.checked, one.since)
        line(f"{one.book} {one.version}, {one.rule}: {origin}{one.note and f' {one.note}'}", "dim")


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
    """Price past events again with the catalog in force, where that makes a difference.

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
        print_json({**counts, **vars(result.plan), "amended": result.amended})
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
        message = f"the ledger does not have all {result.sent:,} new revisions yet"
        raise CommandError(message, "check the system: outlay status")


def _reprice(wanted: Selection, groups: list[str], dry_run: bool, patience: float) -> tuple[Repriced, bool]:
    """Return the result, and whether the ledger still lacks some of it."""
    with resumable() as progress, open_clickhouse(wanted.tenant) as clickhouse:
        catalog = CompiledCatalog(read_published())
        older = dataclasses.replace(wanted, before_revision=catalog.revision)
        ledger = LedgerReader(clickhouse)
        before = ledger.count(older)
        with open_sink(dry_run=dry_run) as sink:
            rest = "events were sent with their new price, the others were not"
            with working(f"pricing {counted(before, 'event')} again"):
                result = price_again(
                    ledger, catalog, sink, wanted, groups, progress=lambda sent: progress(f"{sent:,} {rest}")
                )
            progress(
                f"all {counted(result.sent, 'event')} with a new price were sent, and reach the ledger later"
            )
            with working("waiting for the ledger"):
                done = not result.sent or arrived(
                    ledger, older, before=before, sent=result.sent, clock=SystemClock(), patience=patience,
                    again=lambda: price_again(ledger, catalog, sink, wanted, ()),
                )  # fmt: skip
    return result, not done
