"""Finds commitments that would pay: machines that ran so steadily that reserving them would have cost less.

An option is a rule of a price book for a lease (`where: {lease: reserved-1y}`), list price or agreed. Break-even: a
reserved machine is paid for every hour, used or not, so it pays where more than reserved / on-demand of the hours
are used. The number to reserve is found on the hours themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from outlay_kit.clickhouse import ClickHouseClient
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.domain.repricing import usage_of
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_pricer.opportunities.detector import Opportunity, SavingMethod, Where
from outlay_schemas.errors import Invalid
from outlay_schemas.events import COMPUTED, CostEvent
from outlay_schemas.money import to_pico

HOURS_LEAST = 72
"""Minimum hours of history for a commitment of a year."""
HOUR = 3600
_MONTH = 730


@dataclass(frozen=True)
class Use:
    """What one sku was used on demand in one hour: seconds of machines, and pico-USD."""

    hour: datetime
    seconds: Fraction
    cost: int
    events: int


@dataclass(frozen=True)
class Fleet:
    """The hours in which one sku of one region was used on demand, and the events that cost most."""

    where: Where
    region: str
    uses: tuple[Use, ...]
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Best:
    """How many machines to reserve for the least cost, in pico-USD over the hours looked at."""

    units: int
    saving: int
    needed: Fraction
    """Hours of a month (730) that a reserved machine must be used to pay for itself."""
    used: Fraction
    """Hours of a month that the last one of them would have been used."""


def best(uses: Sequence[Use], hours: int, rate: Fraction) -> Best | None:
    """Return the number of machines that saves most, None if none does.

    `hours`: all hours looked at, also those without use, for which a reserved machine is paid too. `rate`: pico-USD of
    a reserved second. The work of an hour is taken to be spread evenly over it.
    """
    used = [use for use in uses if use.seconds]
    if not used:
        return None

    def saving(units: int) -> Fraction:
        size = Fraction(units * HOUR)
        spared = sum((use.cost * min(size, use.seconds) / use.seconds for use in used), Fraction(0))
        return spared - rate * size * hours

    # Each machine more is used less than the one before it: the last that saves is the last to reserve.
    low, high = 0, -int(-max(use.seconds for use in used) // HOUR)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if saving(middle) > saving(middle - 1) else (low, middle - 1)
    saved = int(saving(low))
    if saved <= 0:
        return None
    on_demand = sum(use.cost for use in used) / sum((use.seconds for use in used), Fraction(0))
    others = Fraction((low - 1) * HOUR)
    last = sum((min(max(use.seconds - others, Fraction(0)), Fraction(HOUR)) for use in used), Fraction(0))
    return Best(low, saved, _MONTH * rate / on_demand, _MONTH * last / HOUR / hours)


Rate = Callable[[Fleet, str], Fraction | None]
"""Pico-USD of a second under a lease; None: the price books do not say."""


def commitments(
    fleets: Sequence[Fleet], hours: int, leases: Callable[[Where], Sequence[str]], rate: Rate
) -> list[Opportunity]:
    """Return what each lease would have saved each fleet, over `hours` looked at."""
    if hours < HOURS_LEAST:
        return []
    found = []
    for fleet in fleets:
        for lease in leases(fleet.where):
            price = rate(fleet, lease)
            plan = None if price is None else best(fleet.uses, hours, price)
            if plan is not None:
                found.append(_finding(fleet, lease, plan))
    return found


def _finding(fleet: Fleet, lease: str, plan: Best) -> Opportunity:
    place = f" in {fleet.region}" if fleet.region else ""
    check = (
        f"{plan.units} of them: each pays from {float(plan.needed):.0f} hours of use a month on,"
        f" and the last was used {float(plan.used):.0f}. will that stay so for the whole term?"
    )
    way = SavingMethod("commitment", f"commit to {lease}{place}", check)
    cost, events = sum(use.cost for use in fleet.uses), sum(use.events for use in fleet.uses)
    return Opportunity(way, fleet.where, plan.saving, cost, events, list(fleet.examples))


_METER = "if(usage['compute_seconds'] > 0, usage['compute_seconds'], usage['gpu_seconds'])"
_HOURS = f"""
SELECT tenant, provider, sku, attributes['region'] AS region, toUnixTimestamp(toStartOfHour(minute)) AS hour,
    toString(sum({_METER})) AS seconds, toString(sum(cost)) AS spent, count() AS n,
    argMax((source, id), cost) AS most
FROM costs
WHERE kind = 'compute' AND price_status IN ('priced', 'estimated') AND attributes['lease'] IN ('', 'on-demand')
    AND minute >= toDateTime({{since:UInt32}}, 'UTC') AND minute < toDateTime({{until:UInt32}}, 'UTC')
    AND ({{tenant:String}} = '' OR tenant = {{tenant:String}})
GROUP BY tenant, provider, sku, region, hour ORDER BY tenant, provider, sku, region, hour
"""  # noqa: S608 (ours)
_EXAMPLES = 3


def reservations(
    clickhouse: ClickHouseClient, catalog: CompiledCatalog, wanted: Selection
) -> list[Opportunity]:
    """Return which leases of the price books would have cost less than the machines that ran on demand.

    Of every hour of the selection, which must have bounds; however many events there are. Raises Retryable.
    """
    if wanted.since is None or wanted.until is None:
        raise ValueError("a selection without bounds is all of the ledger")
    hours = (wanted.until - wanted.since) // timedelta(hours=1)
    bound = {
        "since": int(wanted.since.timestamp()), "until": int(wanted.until.timestamp()), "tenant": wanted.tenant,
    }  # fmt: skip
    fleets = _fleets(clickhouse.rows(_HOURS, bound))
    ledger = LedgerReader(clickhouse)
    samples: dict[Fleet, CostEvent | None] = {}

    def rate(fleet: Fleet, lease: str) -> Fraction | None:
        if fleet not in samples:
            samples[fleet] = _sample(ledger, fleet)
        return _rate(catalog, samples[fleet], lease)

    return commitments(fleets, hours, lambda where: leases(catalog, where[3], where[4]), rate)


def leases(catalog: CompiledCatalog, provider: str, sku: str) -> list[str]:
    """Return the leases that price books have a rule of their own for, but those that may end any minute."""
    found = catalog.candidates("compute", provider, sku)
    words = {
        word
        for rule in (*found.before, *found.after)
        for word in rule.rule.where.get("lease", ())
        if "*" not in word
    }
    return sorted(words - {"on-demand", "spot", "preemptible"})


def _fleets(rows: list[dict[str, Any]]) -> list[Fleet]:
    found: dict[tuple[Where, str], list[dict[str, Any]]] = {}
    for row in rows:
        where = (row["tenant"], "", "", row["provider"], row["sku"])
        found.setdefault((where, row["region"]), []).append(row)
    return [
        Fleet(
            where, region, tuple(map(_use, some)), tuple(tuple(row["most"]) for row in _most_expensive(some))
        )
        for (where, region), some in found.items()
    ]


def _most_expensive(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: -to_pico(row["spent"]))[:_EXAMPLES]


def _use(row: dict[str, Any]) -> Use:
    hour = datetime.fromtimestamp(row["hour"], UTC)
    return Use(hour, Fraction(Decimal(row["seconds"])), to_pico(row["spent"]), row["n"])


def _sample(ledger: LedgerReader, fleet: Fleet) -> CostEvent | None:
    """Return one of the fleet's events, which is priced again under each lease."""
    source, name = fleet.examples[0]
    tenant, _, _, provider, _ = fleet.where
    wanted = Selection(
        since=fleet.uses[0].hour, until=fleet.uses[-1].hour + timedelta(hours=1), tenant=tenant, provider=provider,
        source=source, id=name,
    )  # fmt: skip
    return next(ledger.events(wanted), None)


def _rate(catalog: CompiledCatalog, sample: CostEvent | None, lease: str) -> Fraction | None:
    """Return pico-USD of a second of the sample's sku under a lease, exact: priced for a million hours."""
    if sample is None:
        return None
    usage = usage_of(sample)
    meter = "compute_seconds" if usage.usage.get("compute_seconds") else "gpu_seconds"
    seconds = HOUR * 10**6
    leased = msgspec.structs.replace(
        usage, usage={meter: seconds}, attributes={**usage.attributes, "lease": lease}, reported_cost=None
    )
    try:
        priced = price(leased, catalog)
    except Invalid:
        return None
    if priced.price_status not in COMPUTED or priced.cost is None:
        return None
    return Fraction(to_pico(priced.cost), seconds)
