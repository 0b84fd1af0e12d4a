"""Cloud bills in FOCUS 1.0 to 1.4, as usage events with a reported cost. A charge has no id; its identity is what it
is about (account, resource, SKU, period, category, tags) without amounts, so a corrected bill replaces the first.
Equal charges differ by their number within the bill: read all its parts with the same `Identities`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

import msgspec

from outlay_ingest.domain.coercion import first, moment, money, text, texts
from outlay_ingest.domain.decoded_items import Item, made
from outlay_ingest.domain.tables import Identities, Mark, Row, amount_of, check_width, number
from outlay_schemas.attributes import BILL, BILLING_ACCOUNT, BILLING_PERIOD, REPORTED_BY
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
    BILLING_ACCOUNT: "BillingAccountId",
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


def read_focus(
    rows: Iterable[Row],
    cost: Cost = "EffectiveCost",
    mark: Mark = "point",
    identities: Identities | None = None,
    name: str = "",
) -> Iterator[Item | None]:
    """Read the rows of a FOCUS Cost and Usage table. Charges of nothing (no cost, no usage) are passed over. `mark`:
    of decimals. `identities`: those of the bill that this is a part of; `name`: what places begin with."""
    identities = identities or Identities()
    for line, row in enumerate(rows, 2):
        yield made(
            partial(_event, row, identities, cost, mark), partial(_raw, row), f"{name} row {line}".strip()
        )


def _raw(row: Row) -> bytes:
    return msgspec.json.encode({name: value for name, value in row.items() if value not in (None, "")})


def _event(row: Row, identities: Identities, column: Cost, mark: Mark) -> UsageEvent | None:
    check_width(row)
    currency = text(row.get("BillingCurrency"))
    if currency is None:
        raise Invalid("missing_field", "BillingCurrency is required", "$.BillingCurrency")
    if currency != "USD":
        raise Invalid("currency_unsupported", f"{currency} is not USD; convert it first", "$.BillingCurrency")
    cost = money(number(row.get(column), f"$.{column}", mark=mark, currency="USD"))
    if cost is None:
        raise Invalid("missing_field", f"{column} has no amount", f"$.{column}")
    identity = identities.of([_text(row.get(name)) for name in _IDENTITY])
    # Of a credit, which is not taken, the quantity may be negative.
    usage = {} if cost < 0 else _usage(row, mark)
    if not cost and not usage:
        return None
    kind, activity = _KINDS.get(_text(row.get("ServiceCategory")), ("custom", "other"))
    provider = text(first(row, "ServiceProviderName", "ProviderName")) or ""
    tags = _tags(row.get("Tags"))
    time = _time(row.get("ChargePeriodStart"), "$.ChargePeriodStart")
    billing = row.get("BillingPeriodStart")
    period = _time(billing, "$.BillingPeriodStart") if billing else time
    labels: dict[str, Any] = {name: tags.pop(name, None) for name in OWNERS}
    return UsageEvent(
        id=identity,
        source=f"focus/{provider}"[:256],
        time=time,
        kind=kind,
        activity=activity,
        provider=provider,
        sku=text(first(row, "SkuId", "SkuPriceId", "ResourceType", "ServiceName")) or "unknown",
        usage=usage or {"charges": 1},
        **labels,
        tags=dict(list(tags.items())[:64]),
        attributes={
            **texts({name: row.get(column) for name, column in _ATTRIBUTES.items()}),
            REPORTED_BY: BILL,
            BILLING_PERIOD: f"{period:%Y-%m}",
        },
        reported_cost=cost,
    )


def _time(value: object, path: str) -> datetime:
    """Return the start of a period. FOCUS times are UTC; some files leave the Z out, BigQuery writes `UTC`."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    said = _text(value).strip().removesuffix(" UTC")
    if said and re.fullmatch(r"\d{4}-\d\d-\d\d([ T][\d:.]+)?", said):
        said = f"{said}Z" if len(said) > 10 else f"{said}T00:00:00Z"
    return moment(said, path)


def _usage(row: Row, mark: Mark) -> dict[str, Quantity]:
    for quantity, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        amount = amount_of(quantity, row.get(quantity), mark)
        if amount:
            name = _NO_NAME.sub("_", _text(row.get(unit)).lower()).strip("_")
            return {name[:60] if name[:1].isalpha() else f"units_{name}"[:60].rstrip("_"): amount}
    return {}


def _tags(value: Any) -> dict[str, str]:
    if isinstance(value, str) and value:
        try:
            value = msgspec.json.decode(value)
        except (msgspec.MsgspecError, ValueError):
            return {}
    if isinstance(value, list):  # of pairs, or of objects with `key` and `value`, as BigQuery has them
        pairs = [
            (each.get("key"), each.get("value") or "") if isinstance(each, Mapping) else each
            for each in value
        ]
        value = {pair[0]: pair[1] for pair in pairs if isinstance(pair, tuple | list) and len(pair) == 2}
    found: dict[Any, Any] = value if isinstance(value, dict) else {}
    return {
        _name(name): shown[:256]
        for name, shown in found.items()
        if isinstance(name, str) and name and isinstance(shown, str)
    }


def _name(tag: str) -> str:
    """Bring the spellings of our labels (`Team`, `user:team`, `use-case`) to one; leave other tags as they are."""
    plain = tag.lower().removeprefix("user:").replace("-", "_")
    return plain if plain in OWNERS else tag[:256]


def _text(value: object) -> str:
    return "" if value is None else str(value)
