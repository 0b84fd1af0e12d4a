"""What the usage of a model would have cost as another model, or by other prices: from sums, so that millions of events
take as long as a few."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from outlay_kit.time_ranges import TimeRange
from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.price_listing import KINDS, price_dates
from outlay_pricer.domain.pricing import cost_of_calls
from outlay_pricer.domain.rate_compiler.rate_book import MODEL_ATTRIBUTES
from outlay_pricer.domain.usage import CONVENTION
from outlay_schemas.catalog.price_ref import MARKS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Quantity, UsageEvent
from outlay_schemas.money import to_pico

_HALF_HOUR = 1800
_ALWAYS = 1 << 31
_GROUPS = """
SELECT kind, team, project, mapFilter((k, v) -> has({keys:Array(String)}, k), attributes) AS context,
    arraySort(arrayFilter(k -> usage[k] != 0, mapKeys(usage))) AS meters,
    arrayCount(edge -> usage['input_tokens'] > edge, {edges:Array(UInt64)}) AS tier,
    toUnixTimestamp(max(minute)) AS at, count() AS calls, toString(sum(ifNull(cost, toDecimal128(0, 12)))) AS spent,
    mapApply((k, v) -> (k, toString(v)), sumMap(usage)) AS used
FROM costs
WHERE tenant = {tenant:String} AND minute >= toDateTime({low:UInt32}, 'UTC')
    AND minute < toDateTime({high:UInt32}, 'UTC') AND sku = {sku:String}
    AND ({provider:String} = '' OR provider = {provider:String})
GROUP BY kind, team, project, context, meters, tier, intDiv(toUnixTimestamp(minute), {step:UInt32})"""
"""Events that are priced by the same rates: of one kind, owner and context, with the same meters, in one tier."""


@dataclass(frozen=True)
class Sums:
    """What usage cost, and would have cost, pico-USD. Both leave out what has no price then."""

    before: int
    after: int
    events: int
    left_out: int


def what_if(
    rows: Callable[[str, Mapping[str, object]], Sequence[Mapping[str, Any]]],
    catalog: CompiledCatalog,
    tenant: str,
    names: tuple[str, str],
    other: tuple[str, str],
    *,
    span: TimeRange,
) -> Sums:
    """Return what the usage of one provider and sku in a span would have cost as another one, by a catalog.

    Exact but for steps, minimums and roundings of single events, which the average event of a group stands for.
    """
    line = catalog.rates.line_of(*other, {})
    found = [catalog.candidates(kind, *other) for kind in KINDS]
    rules = [rule for one in found for rule in (*one.before, *one.after)]
    keys = {CONVENTION, *MARKS, *MODEL_ATTRIBUTES, *catalog.context.keys}
    keys.update(key for rule in rules for key in (*rule.rule.where, *rule.rule.assumes))
    cards = [] if line.refused else [line.card(span.end, dict(pairs)) for pairs in _contexts(line.wanted)]
    edges = sorted({start for card in cards for rate in card.rates for start, _ in rate.tiers})
    dated = bool(line.times) or any(at in span for at in price_dates(catalog, *other))
    bound: dict[str, object] = {
        "tenant": tenant, "provider": names[0], "sku": names[1], "keys": sorted(keys), "edges": edges,
        "low": int(span.start.timestamp()), "high": int(span.end.timestamp()), "step": _HALF_HOUR if dated else _ALWAYS,
    }  # fmt: skip
    before = after = events = left_out = 0
    for row in rows(_GROUPS, bound):
        calls = int(row["calls"])
        cost = _cost(row, catalog, tenant, other)
        if cost is None:
            left_out += calls
        else:
            before, after, events = before + to_pico(row["spent"]), after + cost, events + calls
    return Sums(before, after, events, left_out)


def _contexts(wanted: frozenset[tuple[str, str]]) -> list[tuple[tuple[str, str], ...]]:
    return [(), *((pair,) for pair in sorted(wanted))]


def _cost(
    row: Mapping[str, Any], catalog: CompiledCatalog, tenant: str, other: tuple[str, str]
) -> int | None:
    usage: dict[str, Quantity] = {}
    for meter, text in row["used"].items():
        quantity = Decimal(text)
        usage[meter] = int(quantity) if quantity == int(quantity) else quantity
    event = UsageEvent(
        id="what-if", source="what-if", time=datetime.fromtimestamp(row["at"], UTC), kind=row["kind"],
        provider=other[0], sku=other[1], usage=usage, tenant=tenant, team=row["team"], project=row["project"],
        attributes=dict(row["context"]),
    )  # fmt: skip
    try:
        return cost_of_calls(event, int(row["calls"]), catalog)
    except Invalid:
        return None
