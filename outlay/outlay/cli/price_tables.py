"""How prices and their explanation are shown."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from outlay.cli.common import err, out, table

if TYPE_CHECKING:
    from outlay.catalog.contents import Listed
    from outlay.catalog.explain import Why
    from outlay_pricer.domain.explain import Explanation, Source
    from outlay_pricer.domain.price_listing import PriceListing
    from outlay_schemas.events import CostEvent

_NAMES = 20
"""Most names whose prices are shown; --json has them all."""


def show_why(answer: "Why") -> None:
    """Print why an event costs what it costs."""
    event = answer.event
    out.print(f"{event.source} {event.id}", style="bold", markup=False, soft_wrap=True)
    for line in _facts(event):
        out.print(f"  {line}", markup=False, soft_wrap=True)
    if not answer.own:
        err.print(
            f"catalog revision {event.revision}, which priced it, is not kept; this is by revision {answer.revision}"
        )
    if answer.refused:
        err.print(f"by that revision it is refused: {answer.refused}", markup=False, soft_wrap=True)
    if answer.explanation is not None:
        _show(answer.explanation, event)
    if not answer.same and not answer.refused:
        err.print("[bold yellow]this does not come to what the ledger says[/]: see outlay reprice --dry-run")


def _facts(event: "CostEvent") -> Iterator[str]:
    yield f"{event.time:%Y-%m-%d %H:%M:%S.%f} UTC · {event.kind} · {event.provider}/{event.sku} · tenant {event.tenant}"
    yield "used " + ", ".join(f"{quantity} {meter}" for meter, quantity in event.usage.items())
    if event.attributes:
        yield "attributes " + ", ".join(f"{name}={value}" for name, value in event.attributes.items())
    from outlay_schemas.dimensions import OWNERS, name_of

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


def _show(explanation: "Explanation", event: "CostEvent") -> None:
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
    table("", ["meter", ">quantity", ">price", ">per", ">USD", ""], rows, "nothing was priced")
    if explanation.reason:
        out.print(f"why not: {explanation.reason}", markup=False, soft_wrap=True)
    for guess in explanation.guesses:
        out.print(f"assumed: {guess}", markup=False, soft_wrap=True)
    for source in explanation.sources:
        out.print(_source(source), markup=False, soft_wrap=True, style="dim")


def _source(source: "Source") -> str:
    checked = f"of {source.checked}" if source.checked else "never compared with its source"
    since = f", in force since {source.since[:10]}" if source.since else ""
    note = f" {source.note}" if source.note else ""
    return f"{source.book} {source.version}, {source.rule}: {source.source} ({checked}{since}){note}"


def show_prices(found: "list[Listed]") -> None:
    """Print what names cost."""
    for item in found[:_NAMES]:
        for shown in item.prices:
            conditions = {**shown.where, **{key: [value] for key, value in shown.context.items()}}
            when = "".join(f" {key}={'|'.join(words)}" for key, words in conditions.items())
            rows = [
                [price.meter, f"{price.price} {shown.currency}", price.per, _above(price.above), price.note]
                for price in shown.prices
            ]
            empty = f"{shown.ref}: no price: {shown.reason}"
            table(shown.ref + when, ["meter", ">costs", ">per", ">above", "note"], rows, empty)
            if rows:
                out.print(_origin(shown), markup=False, soft_wrap=True, style="dim")
    if len(found) > _NAMES:
        out.print(f"… and {len(found) - _NAMES} names more; --json has all", style="dim")


def _above(bound: str) -> str:
    return "" if bound == "0" else bound


def _origin(shown: "PriceListing") -> str:
    checked = f"of {shown.checked[:10]}" if shown.checked else "never compared with its source"
    since = f", in force since {shown.since[:10]}" if shown.since else ""
    until = f", until {shown.until[:10]}" if shown.until else ""
    return f"{shown.source} ({checked}{since}{until})"
