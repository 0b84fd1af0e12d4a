"""Cloud bills in FOCUS, versions 1.0 to 1.4, as usage events with a reported cost.

A charge has no id in FOCUS. Its identity here is what it is about (account, resource, SKU, period, category, tags),
without its amounts: a bill that comes again with other amounts replaces the first.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import msgspec

from outlay_ingest.domain.fields import count, first, moment, money, text
from outlay_ingest.domain.items import Item
from outlay_ingest.domain.tables import Identities, Row
from outlay_schemas.dimensions import OWNERS
from outlay_schemas.errors import Invalid
from outlay_schemas.events import Activity, Kind, Quantity, UsageEvent

Cost = Literal["EffectiveCost", "BilledCost", "ListCost", "ContractedCost"]
_IDENTITY = (
    "BillingAccountId", "SubAccountId", "ResourceId", "SkuId", "SkuPriceId", "SkuMeter", "ServiceName", "RegionId",
    "ChargePeriodStart", "ChargePeriodEnd", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "CommitmentDiscountId", "CommitmentDiscountStatus", "PricingCategory", "PricingUnit", "ConsumedUnit", "Tags",
)  # fmt: skip
_KINDS: dict[str, tuple[Kind, Activity]] = {
    "AI and Machine Learning": ("llm", "inference"),
    "Compute": ("compute", "other"),
    "Storage": ("storage", "storage"),
    "Databases": ("storage", "storage"),
    "Networking": ("transfer", "other"),
    "Analytics": ("custom", "data_processing"),
}
_ATTRIBUTES = {
    "region": "RegionId",
    "account": "SubAccountId",
    "account_name": "SubAccountName",
    "resource": "ResourceId",
    "service": "ServiceName",
    "charge_category": "ChargeCategory",
    "charge_class": "ChargeClass",
    "pricing_category": "PricingCategory",
    "sku_meter": "SkuMeter",
    "commitment": "CommitmentDiscountId",
    "invoice": "InvoiceId",
}
_NO_NAME = re.compile(r"[^a-z0-9]+")


def read_focus(rows: Iterable[Row], cost: Cost = "EffectiveCost") -> Iterator[Item | None]:
    """Read the rows of a FOCUS Cost and Usage table. Charges of nothing (no cost, no usage) are passed over."""
    identities = Identities()
    for number, row in enumerate(rows, 2):
        try:
            found = _event(row, identities, cost)
        except Invalid as why:
            yield Item(why, partial(_raw, row), f"row {number}")
        else:
            yield None if found is None else Item(found, partial(_raw, row), f"row {number}")


def _raw(row: Row) -> bytes:
    return msgspec.json.encode({name: value for name, value in row.items() if value not in (None, "")})


def _event(row: Row, identities: Identities, column: Cost) -> UsageEvent | None:
    currency = text(row.get("BillingCurrency"))
    if currency != "USD":
        raise Invalid("currency_unsupported", f"{currency} is not USD; convert it first", "$.BillingCurrency")
    cost = money(row.get(column))
    if cost is None:
        raise Invalid("missing_field", f"there is no amount in {column}", f"$.{column}")
    identity = identities.of([_text(row.get(name)) for name in _IDENTITY])
    usage = _usage(row)
    if not cost and not usage:
        return None
    kind, activity = _KINDS.get(_text(row.get("ServiceCategory")), ("custom", "other"))
    provider = text(first(row, "ServiceProviderName", "ProviderName")) or ""
    tags = _tags(row.get("Tags"))
    labels: dict[str, Any] = {name: tags.pop(name, None) for name in OWNERS}
    return UsageEvent(
        id=identity,
        source=f"focus/{provider}"[:256],
        time=_time(row),
        kind=kind,
        activity=activity,
        provider=provider,
        sku=text(first(row, "SkuId", "SkuPriceId", "ResourceType", "ServiceName")) or "unknown",
        usage=usage or {"charges": 1},
        **labels,
        tags=dict(list(tags.items())[:64]),
        attributes={
            k: shown for k, name in _ATTRIBUTES.items() if (shown := text(row.get(name))) is not None
        },
        reported_cost=cost,
    )


def _time(row: Row) -> datetime:
    """Return the start of the charge's period. FOCUS times are UTC; some files leave the Z out."""
    value = row.get("ChargePeriodStart")
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    said = _text(value)
    if said and re.fullmatch(r"\d{4}-\d\d-\d\d([ T][\d:.]+)?", said):
        said = f"{said}Z" if len(said) > 10 else f"{said}T00:00:00Z"
    return moment(said, "$.ChargePeriodStart")


def _usage(row: Row) -> dict[str, Quantity]:
    for quantity, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        amount = count(row.get(quantity)) if row.get(quantity) not in (None, "") else None
        if amount:
            name = _NO_NAME.sub("_", _text(row.get(unit)).lower()).strip("_")
            return {name[:60] if name[:1].isalpha() else f"units_{name}"[:60].rstrip("_"): amount}
    return {}


def _tags(value: Any) -> dict[str, str]:
    """Read the tags: a JSON object as text, or a mapping or pairs as Parquet has them."""
    if isinstance(value, str) and value:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, ValueError):
            return {}
    if isinstance(value, list):
        value = {pair[0]: pair[1] for pair in value if isinstance(pair, tuple | list) and len(pair) == 2}
    if not isinstance(value, Mapping):
        return {}
    return {
        _name(name): shown[:256]
        for name, shown in value.items()
        if isinstance(name, str) and name and isinstance(shown, str)
    }


def _name(tag: str) -> str:
    """Bring the spellings of our labels (`Team`, `user:team`, `use-case`) to one; leave other tags as they are."""
    plain = tag.lower().removeprefix("user:").replace("-", "_")
    return plain if plain in OWNERS else tag[:256]


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value)
