"""How prices, their explanation and their differences are shown."""

from collections.abc import Iterator
from typing import Any

import msgspec

from outlay.catalog.contents import Listed
from outlay.catalog.explain import Why
from outlay.cli.output import line, note, print_table, warn
from outlay.cli.stores import SHOWN
from outlay_pricer.domain.compare import PriceComparison
from outlay_pricer.domain.explain import Explanation, PriceListing, Source
from outlay_reports.money import counted
from outlay_schemas.dimensions import OWNERS, name_of
from outlay_schemas.events import CostEvent

_NAMES = 20
"""Most names whose prices are shown; --json has them all."""


def show_why(answer: Why) -> None:
    """Print why an event costs what it costs."""
    event = answer.event
    line(f"{event.source} {event.id}", "bold")
    for fact in _facts(event):
        line(f"  {fact}")
    if not answer.own:
        note(
            f"catalog revision {event.revision}, which priced it, is no longer kept: explained by {answer.revision}"
        )
    if answer.refused:
        note(f"that revision refuses it: {answer.refused}")
    if answer.explanation is not None:
        _show(answer.explanation, event)
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


def _show(explanation: Explanation, event: CostEvent) -> None:
    rows = [
        [
            step.meter,
            step.quantity,
            step.price and f"{step.price} {step.currency}",
            step.per,
            step.amount,
            step.note,
        ]
        for step in explanation.steps
    ]
    if rows:
        total = explanation.event.cost
        rows.append(
            ["cost", "", "", "", "no price" if total is None else total, explanation.event.price_status]
        )
    print_table("", ["meter", ">quantity", ">price", ">per", ">USD", ""], rows, "nothing was priced")
    if explanation.reason:
        line(f"no price because: {explanation.reason}")
    for guess in explanation.guesses:
        line(f"assumed: {guess}")
    for source in explanation.sources:
        line(_source(source), "dim")


def _source(source: Source) -> str:
    checked = f"of {source.checked}" if source.checked else "never compared with its source"
    since = f", in force since {source.since[:10]}" if source.since else ""
    note = f" {source.note}" if source.note else ""
    return f"{source.book} {source.version}, {source.rule}: {source.source} ({checked}{since}){note}"


def show_prices(found: list[Listed]) -> None:
    """Print the prices of names."""
    for item in found[:_NAMES]:
        for shown in item.prices:
            conditions = {**shown.where, **{key: [value] for key, value in shown.context.items()}}
            when = "".join(f" {key}={'|'.join(words)}" for key, words in conditions.items())
            rows = [
                [
                    price.meter,
                    f"{price.price} {shown.currency}",
                    price.per,
                    price.above if price.above != "0" else "",
                    price.note,
                ]
                for price in shown.prices
            ]
            empty = f"{shown.ref}: no price: {shown.reason}"
            print_table(shown.ref + when, ["meter", ">costs", ">per", ">above", "note"], rows, empty)
            if rows:
                line(_origin(shown), "dim")
    if len(found) > _NAMES:
        line(f"… and {len(found) - _NAMES} more names; --json has all", "dim")


def _origin(shown: PriceListing) -> str:
    checked = f"of {shown.checked[:10]}" if shown.checked else "never compared with its source"
    since = f", in force since {shown.since[:10]}" if shown.since else ""
    until = f", until {shown.until[:10]}" if shown.until else ""
    return f"{shown.source} ({checked}{since}{until})"


def plan_json(plan: PriceComparison) -> dict[str, Any]:
    """Return a difference as plain JSON."""
    return {"total": msgspec.to_builtins(plan.total), "groups": msgspec.to_builtins(plan.groups)}


def show_plan(plan: PriceComparison, title: str) -> None:
    """Print a difference: the groups that change most, and the sum."""
    total = plan.total
    changed = [group for group in plan.groups if group.changed or group.refused_after]
    rows = [
        [
            *map(name_of, group.group.values()),
            group.before,
            group.after,
            group.change,
            group.events,
            _moved(group.unpriced_before, group.unpriced_after),
            _moved(group.estimated_before, group.estimated_after),
        ]
        for group in changed[:SHOWN]
    ]
    names = list(plan.groups[0].group) if plan.groups else []
    columns = [*names, ">before", ">after", ">change USD", ">events", "unpriced", "estimated"]
    print_table(title, columns, rows, f"{title}: no cost changes")
    if len(changed) > SHOWN:
        line(f"… and {len(changed) - SHOWN} more groups; --json has all", "dim")
    line(
        f"{counted(total.events, 'event')}: {total.before} → {total.after} USD, change {total.change}; "
        f"{total.changed:,} change, unpriced {_moved(total.unpriced_before, total.unpriced_after)},"
        f" estimated {_moved(total.estimated_before, total.estimated_after)}"
    )
    if total.refused_after:
        warn(f"{counted(total.refused_after, 'event')} would become dead letters")


def _moved(before: int, after: int) -> str:
    return f"{before:,} → {after:,}" if before != after else f"{after:,}"
