"""Reads how steadily machines ran from the ledger, and what leases would have cost from the price books."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from outlay_kit.clickhouse import ClickHouseClient
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.domain.repricing import usage_of
from outlay_pricer.ledger import LedgerReader, Selection
from outlay_pricer.opportunities.commitments import HOUR, Fleet, Use, commitments
from outlay_pricer.opportunities.detector import Opportunity, Where
from outlay_schemas.errors import Invalid
from outlay_schemas.events import COMPUTED, CostEvent
from outlay_schemas.money import to_pico

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
