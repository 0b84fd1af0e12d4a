"""Prices a model call by its rate card: exactly what genai-prices would charge, to the last pico-USD."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

from outlay_pricer.domain.first.amounts import settle, settle_fractions
from outlay_pricer.domain.first.cards import Card
from outlay_pricer.domain.first.quote import Quote
from outlay_pricer.domain.first.rates import Plan, raised
from outlay_pricer.domain.first.refusals import refusal
from outlay_pricer.domain.first.shapes import Amounts, Shape
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity


def quote_call(plan: Plan, usage: Mapping[str, Quantity], at: datetime) -> Quote:
    """Price a call. Raises `Invalid` where the usage contradicts itself."""
    card = plan.card(at)
    if card.error is not None:
        return Quote("unpriced", plan.refused("prices_incomplete"), unpriced=sorted(usage))
    if plan.minimum is not None:
        usage = raised(usage, plan.minimum)
    shape = card.shape(tuple(usage))
    amounts = shape.run(usage)
    if amounts is None or not isinstance(amounts[0], int):
        cost, parts = _by_fractions(card, shape, usage)
    else:
        cost, parts = settle(amounts[0], amounts[1:], shape.denominator)
    return _quote(plan, shape, usage, cost, parts)


def _by_fractions(card: Card, shape: Shape, usage: Mapping[str, Quantity]) -> tuple[int, list[int]]:
    amounts: Amounts | None = shape.run({meter: Fraction(value) for meter, value in usage.items()})
    if amounts is None:
        meter, message = refusal(card, usage)
        raise Invalid("usage_contradictory", message, f"$.usage.{meter}" if meter else "$.usage")
    return settle_fractions([Fraction(part) / shape.denominator for part in amounts[1:]])


def _quote(plan: Plan, shape: Shape, usage: Mapping[str, Quantity], cost: int, parts: list[int]) -> Quote:
    named = dict(zip(shape.meters, parts, strict=True))
    if shape.uncovered:
        unpriced = [meter for meter in shape.uncovered if usage[meter]]
        if unpriced and any(usage.get(meter, 1) for meter in shape.meters):
            return Quote("unpriced", plan.text, cost, named, unpriced)
        if unpriced or not plan.standard[0].prices:
            return Quote("unpriced", plan.refused("meter_unknown"), unpriced=unpriced)
    return Quote("free" if shape.free else "priced", plan.text, cost, named)
