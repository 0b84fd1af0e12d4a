"""Re-pricing: restores the usage event of a cost event, and tells whether a new price differs."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from outlay_pricer.domain.attribution import MISSING
from outlay_pricer.domain.catalog_index import CompiledCatalog
from outlay_pricer.domain.pricing import price
from outlay_pricer.domain.usage import plain_number
from outlay_schemas.acceptance import UNSTAMPED_MS
from outlay_schemas.catalog import parse_price_ref
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import AcceptedUsage, CostEvent, UsageEvent

_KEPT = (
    "cost",
    "cost_parts",
    "price_status",
    "unpriced_meters",
    "list_cost",
    "list_parts",
    "charged",
    "provider",
    "sku",
    *OWNERS,
    "attributes",
)
"""The fields of a price that readers of the ledger see. A newer revision or list version does not count."""


@dataclass(frozen=True, slots=True)
class RepricedEvent:
    """An event of the ledger, priced again."""

    old: CostEvent
    usage: UsageEvent
    new: CostEvent | None
    """None: under this catalog it is refused, and stays as it is."""

    @property
    def differs(self) -> bool:
        """Return whether the ledger would change."""
        return self.new is not None and differs(self.old, self.new)

    @property
    def improves(self) -> bool:
        """Return whether the ledger would change, and would not lose a price: a catalog may lack a price list that an
        older one had."""
        lost = (
            self.old.price_status != "unpriced"
            and self.new is not None
            and self.new.price_status == "unpriced"
        )
        return self.differs and not lost

    @property
    def resent(self) -> AcceptedUsage:
        """Return the event to price again. It keeps its stamp, so that it does not beat a body accepted since."""
        fields = {name: getattr(self.usage, name) for name in UsageEvent.__struct_fields__}
        ms, seq = self.old.accepted_ms or UNSTAMPED_MS, self.old.accepted_seq
        return AcceptedUsage(**fields, accepted_ms=ms, accepted_seq=seq)


def usage_of(cost: CostEvent) -> UsageEvent:
    """Return the usage event that a cost event was made of, as it was before attribution.

    Quantities come back in their one spelling (5.0 as 5), which has the same fingerprint.
    """
    fields = {name: cost.given.get(name, getattr(cost, name)) for name in UsageEvent.__struct_fields__}
    fields |= {name: fields[name] or None for name in (*OWNERS, "activity")}
    fields["usage"] = {meter: plain_number(quantity) for meter, quantity in cost.usage.items()}
    fields["attributes"] = {name: value for name, value in cost.attributes.items() if name != MISSING}
    fields["reported_cost"] = None if cost.reported_cost is None else Decimal(cost.reported_cost)
    return UsageEvent(**fields)


def reprice(costs: Iterable[CostEvent], catalog: CompiledCatalog) -> Iterator[RepricedEvent]:
    """Price events of the ledger by a catalog."""
    for cost in costs:
        usage = usage_of(cost)
        try:
            yield RepricedEvent(cost, usage, price(usage, catalog))
        except Invalid:
            yield RepricedEvent(cost, usage, None)


def differs(old: CostEvent, new: CostEvent) -> bool:
    """Tell whether two prices of one event differ in more than their revision."""
    if any(getattr(old, name) != getattr(new, name) for name in _KEPT):
        return True
    refs = (replace(parse_price_ref(one.price_ref), version="") for one in (old, new))
    return old.price_ref != new.price_ref and len(set(refs)) > 1
