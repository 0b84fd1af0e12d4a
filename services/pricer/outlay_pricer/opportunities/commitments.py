"""Finds commitments that would pay: machines that ran so steadily that reserving them would have cost less.

An option is a rule of a price book for a lease (`where: {lease: reserved-1y}`), list price or agreed. Break-even: a
reserved machine is paid for every hour, used or not, so it pays where more than reserved / on-demand of the hours
are used. The number to reserve is found on the hours themselves.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from outlay_kit.clickhouse import ClickHouseClient
from outlay_pricer.domain import CompiledCatalog, cost_of
from outlay_pricer.domain.repricing import usage_of
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_pricer.opportunities.detector import Opportunity, SavingMethod, Where
from outlay_schemas.errors import Invalid
from outlay_schemas.events import COMPUTED, UsageEvent
from outlay_schemas.money import to_pico

HOURS_LEAST = 72
"""Minimum hours of history for a commitment of a year."""
HOUR = 3600
_MONTH = 730
_EXAMPLES = 3
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
Hours = Sequence[dict[str, Any]]
"""The hours in which one sku of one region was used on demand: rows of `_HOURS`."""


def reservations(
    clickhouse: ClickHouseClient, catalog: CompiledCatalog, tenant: str, since: datetime, until: datetime
) -> list[Opportunity]:
    """Return which leases of the price books would have cost less than the machines that ran on demand.

    Of every hour of a tenant (empty: of all), however many events there are. Raises Retryable.
    """
    hours = (until - since) // timedelta(hours=1)
    if hours < HOURS_LEAST:
        return []
    bound = {"since": int(since.timestamp()), "until": int(until.timestamp()), "tenant": tenant}
    fleets: dict[tuple[Where, str], list[dict[str, Any]]] = {}
    for row in clickhouse.rows(_HOURS, bound):
        where = (row["tenant"], "", "", row["provider"], row["sku"])
        fleets.setdefault((where, row["region"]), []).append(row)
    found = []
    for (where, region), rows in fleets.items():
        names = leases(catalog, where[3], where[4])
        if not names:
            continue
        examples = [tuple(row["most"]) for row in sorted(rows, key=lambda row: -to_pico(row["spent"]))]
        sample = _sample(LedgerReader(clickhouse), where, rows, *examples[0])
        for lease in names:
            rate = None if sample is None else _rate(catalog, sample, lease)
            plan = None if rate is None else best(rows, hours, rate)
            if plan is not None:
                saving, check = plan
                place = f" in {region}" if region else ""
                way = SavingMethod("commitment", f"commit to {lease}{place}", check)
                cost, events = sum(to_pico(row["spent"]) for row in rows), sum(row["n"] for row in rows)
                found.append(Opportunity(way, where, saving, cost, events, examples[:_EXAMPLES]))
    return found


def best(rows: Hours, hours: int, rate: Fraction) -> tuple[int, str] | None:
    """Return the pico-USD that the best number of machines saves, and what to check first; None if none does.

    `hours`: all hours looked at, also those without use, for which a reserved machine is paid too. `rate`: pico-USD of
    a reserved second. The work of an hour is taken to be spread evenly over it.
    """
    uses = [(Fraction(Decimal(row["seconds"])), to_pico(row["spent"])) for row in rows]
    uses = [(seconds, cost) for seconds, cost in uses if seconds]
    if not uses:
        return None

    def saving(units: int) -> Fraction:
        size = Fraction(units * HOUR)
        spared = sum((cost * min(size, seconds) / seconds for seconds, cost in uses), Fraction(0))
        return spared - rate * size * hours

    # Each machine more is used less than the one before it: the last that saves is the last to reserve.
    low, high = 0, -int(-max(seconds for seconds, _ in uses) // HOUR)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if saving(middle) > saving(middle - 1) else (low, middle - 1)
    saved = int(saving(low))
    if saved <= 0:
        return None
    on_demand = sum(cost for _, cost in uses) / sum((seconds for seconds, _ in uses), Fraction(0))
    over = (max(seconds - (low - 1) * HOUR, Fraction(0)) for seconds, _ in uses)
    last = sum((min(seconds, Fraction(HOUR)) for seconds in over), Fraction(0))
    check = (
        f"{low} of them: each pays from {float(_MONTH * rate / on_demand):.0f} hours of use a month on,"
        f" and the last was used {float(_MONTH * last / HOUR / hours):.0f}. will that stay so for the whole term?"
    )
    return saved, check


def leases(catalog: CompiledCatalog, provider: str, sku: str) -> list[str]:
    """Return the leases that price books have a rule of their own for, but those that may end any minute."""
    found = catalog.candidates("compute", provider, sku)
    words = {word for rule in (*found.before, *found.after) for word in rule.rule.where.get("lease", ())}
    return sorted(word for word in words - {"on-demand", "spot", "preemptible"} if "*" not in word)


def _sample(ledger: LedgerReader, where: Where, rows: Hours, source: str, name: str) -> UsageEvent | None:
    first, last = (datetime.fromtimestamp(rows[at]["hour"], UTC) for at in (0, -1))
    wanted = Selection(
        since=first,
        until=last + timedelta(hours=1),
        tenant=where[0],
        provider=where[3],
        source=source,
        id=name,
    )
    return next(map(usage_of, ledger.events(wanted)), None)


def _rate(catalog: CompiledCatalog, usage: UsageEvent, lease: str) -> Fraction | None:
    """Return pico-USD of a second of the sku under a lease, exact: priced for a million hours."""
    meter = "compute_seconds" if usage.usage.get("compute_seconds") else "gpu_seconds"
    seconds = HOUR * 10**6
    leased = msgspec.structs.replace(
        usage, usage={meter: seconds}, attributes={**usage.attributes, "lease": lease}, reported_cost=None
    )
    try:
        cost, status = cost_of(leased, catalog)
    except Invalid:
        return None
    return None if cost is None or status not in COMPUTED else Fraction(cost, seconds)
