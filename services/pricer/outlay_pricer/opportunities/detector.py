"""Looks at events one by one and adds up what each could have saved. Savings of one event may overlap."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import msgspec

from outlay_schemas import attributes as names
from outlay_schemas.errors import Invalid
from outlay_schemas.events import COMPUTED, CostEvent, PriceStatus, UsageEvent
from outlay_schemas.money import to_pico

Cost = tuple[int | None, PriceStatus]
"""Pico-USD (None: no price) and the status of the price."""
Where = tuple[str, str, str, str, str]
"""Tenant, team, project, provider, sku."""

CACHE_MINUTES = timedelta(minutes=5)
"""How long providers keep a cached prompt after its last use, at least."""
_CACHE_LEAST = 1024
"""Tokens below which providers cache nothing."""
_SAME_WINDOW = timedelta(minutes=10)
_SAME_LEAST = 500
"""Tokens of input below which two calls of one size may well be different ones."""
_PATIENT = ("data_processing", "training")
_IDLE = 0.10
_FULL = 0.8
"""How much of a smaller machine may be used: prices stand for sizes."""


@dataclass(frozen=True)
class SavingMethod:
    """A way of saving: its kind, what to do, and what must be made sure of before."""

    kind: str
    recommendation: str
    prerequisite: str


IDLE = SavingMethod("idle machines", "release what nothing runs on", "is it kept for peaks?")
LITTLE_USED = SavingMethod(
    "idle machines", "stop or shrink machines used less than 10%", "is memory what it is kept for?"
)
BATCH = SavingMethod("batch tier", "send it as a batch", "can it wait for hours?")
BATCH_OR_FLEX = SavingMethod(
    BATCH.kind, "send it as a batch, or as flex", "can it wait for hours, or for minutes?"
)
FLEX = SavingMethod("flex tier", "send it as flex", "can it wait for minutes, and be sent again?")
CACHE = SavingMethod(
    "prompt caching", "cache what prompts begin with", "is half of the prompt the same in every call?"
)
LOOP = SavingMethod(
    "repeated calls", "answer repeats from a cache, or stop the loop", "are they retries or a loop?"
)
ALIKE = SavingMethod(LOOP.kind, LOOP.recommendation, "are calls of one size the same calls?")


@dataclass
class Opportunity:
    """What one way of saving would have saved in one place, in pico-USD, and the events that show it."""

    method: SavingMethod
    where: Where
    saving: int = 0
    cost: int = 0
    events: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)
    """Source and id of some of the events: the first seen, or the most expensive."""

    @property
    def id(self) -> str:
        """Stable: the same way in the same place has the same id the next time."""
        parts = [self.method.kind, *self.where, self.method.recommendation]
        return blake2b(msgspec.json.encode(parts), digest_size=4).hexdigest()

    def query(self, since: datetime, until: datetime) -> str:
        """Return the SQL that shows the events of the place in the ledger, the most expensive first."""
        columns = ("tenant", "team", "project", "provider", "sku")
        # A commitment is about all teams and projects together.
        parts = [
            f"{name} = {_quoted(value)}"
            for name, value in zip(columns, self.where, strict=True)
            if value or self.method.kind != "commitment"
        ]
        low, high = (f"toDateTime({int(at.timestamp())}, 'UTC')" for at in (since, until))
        return (
            f"SELECT time, source, id, usage, attributes, cost FROM costs WHERE {' AND '.join(parts)}"  # noqa: S608
            f" AND minute >= {low} AND minute < {high} ORDER BY cost DESC LIMIT 100"
        )

    def add(self, event: CostEvent, saving: int) -> None:
        """Count an event in."""
        self.saving += saving
        self.cost += to_pico(event.cost or "0")
        self.events += 1
        if len(self.examples) < 3:
            self.examples.append((event.source, event.id))


@dataclass(frozen=True)
class Prompts:
    """What is known of the prompts of one place: how many calls, and how long the shortest tenth of them is."""

    calls: int
    short: int
    """Input tokens that nine of ten calls have."""


class OpportunityDetector:
    """Adds up findings over events in the order of their time."""

    def __init__(
        self,
        price: Callable[[UsageEvent], Cost],
        prompts: Mapping[Where, Prompts],
        others: Callable[[str, str], list[tuple[str, SavingMethod]]],
    ) -> None:
        """`others`: for a provider and sku (a model, machine, class or path), what could stand in for it."""
        self._price, self._prompts, self._others = price, prompts, others
        self._found: dict[tuple[SavingMethod, Where], Opportunity] = {}
        self._last_call: dict[Where, datetime] = {}
        self.cached = 0
        """Pico-USD that prompt caching has saved: what the calls would have cost without it, less their cost."""
        self._seen: OrderedDict[tuple[object, ...], datetime] = OrderedDict()

    def findings(self) -> list[Opportunity]:
        """Return what would save anything, the most first."""
        found = [one for one in self._found.values() if one.saving > 0]
        return sorted(found, key=lambda one: (-one.saving, one.id))

    def look(self, event: CostEvent, usage: UsageEvent) -> None:
        """Look at one event. `usage`: what it was made of."""
        if event.cost is None or event.price_status not in {*COMPUTED, "reported"}:
            return
        cost = to_pico(event.cost)
        if event.kind == "llm":
            self._repeated(event, cost)
        elif event.kind == "compute":
            self._idle(event, cost)
        if event.price_status not in COMPUTED:
            return  # what the provider billed cannot be compared with a list price
        if event.kind != "llm":
            self._resource(event, usage, cost)
            return
        self._count_cached(usage, cost)
        self._batch(event, usage, cost)
        self._cache(event, usage, cost)
        for model, way in self._others(event.provider, event.sku):
            self._add(way, event, self._saving(usage, cost, sku=model, reported_cost=None))

    def _cost(self, usage: UsageEvent, /, **changes: Any) -> Cost:
        """Return the cost of another way of calling."""
        try:
            return self._price(msgspec.structs.replace(usage, **changes))
        except Invalid:
            return None, "unpriced"

    def _saving(self, usage: UsageEvent, cost: int, /, **changes: Any) -> int:
        """Return what another way of calling would have saved, pico-USD; 0 where it has no price."""
        other, status = self._cost(usage, **changes)
        return cost - other if other is not None and status in COMPUTED else 0

    def _resource(self, event: CostEvent, usage: UsageEvent, cost: int) -> None:
        """Price a machine, stored or transferred gigabytes as their neighbours in the price book."""
        compute, used = event.kind == "compute", _used(event)
        if compute and (used is None or used < _IDLE or event.attributes.get(names.ALLOCATION)):
            return  # nothing is known of its use, or it is counted as idle
        for sku, way in self._others(event.provider, event.sku):
            price, status = self._cost(usage, sku=sku, reported_cost=None)
            if price is None or status not in {*COMPUTED, "free"}:
                continue
            if compute and (used or 0) * cost > _FULL * price:
                continue
            self._add(way, event, cost - price)
            if compute:
                return  # the smallest that it fits

    def _add(self, way: SavingMethod, event: CostEvent, saving: int) -> None:
        if saving:
            where = where_of(event)
            self._found.setdefault((way, where), Opportunity(way, where)).add(event, saving)

    def _count_cached(self, usage: UsageEvent, cost: int) -> None:
        plain = {meter: quantity for meter, quantity in usage.usage.items() if not meter.startswith("cache_")}
        if len(plain) < len(usage.usage):
            self.cached -= self._saving(usage, cost, usage=plain)

    def _idle(self, event: CostEvent, cost: int) -> None:
        used = _used(event)
        if event.attributes.get(names.ALLOCATION) == names.IDLE:
            self._add(IDLE, event, cost)
        elif used is not None and used < _IDLE:
            self._add(LITTLE_USED, event, cost)

    def _batch(self, event: CostEvent, usage: UsageEvent, cost: int) -> None:
        attributes = usage.attributes
        if event.activity not in _PATIENT or {"service_tier", "processing"} & event.attributes.keys():
            return
        batch, flex = (
            self._saving(usage, cost, attributes={**attributes, "service_tier": tier})
            for tier in ("batch", "flex")
        )
        if batch == flex:
            self._add(BATCH_OR_FLEX, event, batch)
        else:
            self._add(BATCH, event, batch)
            self._add(FLEX, event, flex)

    def _cache(self, event: CostEvent, usage: UsageEvent, cost: int) -> None:
        """Price the call with half of the shortest usual prompt read from a cache, or written to it first."""
        where, used = where_of(event), event.usage
        prompts = self._prompts.get(where)
        if prompts is None or prompts.short < 2 * _CACHE_LEAST or prompts.calls < 20:
            return
        cached = used.get("cache_read_tokens") or used.get("cache_write_tokens")
        if cached or int(used.get("input_tokens", 0)) < prompts.short:
            return
        last = self._last_call.get(where)
        self._last_call[where] = event.time
        warm = last is not None and event.time - last < CACHE_MINUTES
        more = {"cache_read_tokens" if warm else "cache_write_tokens": prompts.short // 2}
        self._add(CACHE, event, self._saving(usage, cost, usage={**usage.usage, **more}))

    def _repeated(self, event: CostEvent, cost: int) -> None:
        """Count a call that has the same size in and out as one just before it, of the same user."""
        if event.usage.get("input_tokens", 0) < _SAME_LEAST:
            return
        digest = event.attributes.get("prompt_hash", "")
        key = (where_of(event), event.user, digest or tuple(sorted(event.usage.items())))
        last = self._seen.pop(key, None)
        self._seen[key] = event.time
        while event.time - next(iter(self._seen.values())) > _SAME_WINDOW:
            self._seen.popitem(last=False)
        if last is not None and event.time - last <= _SAME_WINDOW:
            self._add(LOOP if digest else ALIKE, event, cost)


def where_of(event: CostEvent) -> Where:
    """Return the place that an event's saving is counted at."""
    return (event.tenant, event.team, event.project, event.provider, event.sku)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _used(event: CostEvent) -> float | None:
    """Return how much of a machine was used, as a share of 1; None where the event does not say."""
    text = event.attributes.get(names.GPU_UTILIZATION) or event.attributes.get(names.UTILIZATION) or ""
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        return None
    return value / 100 if text.endswith("%") or value > 1 else value
