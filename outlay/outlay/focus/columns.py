"""What each FOCUS column is, as SQL over the ledger's rows cut into meters (`query.py`).

Source: FOCUS 1.2 (2025-05-30) and 1.3 (2025-12-04), focus.finops.org. Columns of commitments, capacity, invoices and
unit prices are left out: the specification asks for them only of who has such things, and Outlay has none to tell.
"""

from dataclasses import dataclass
from typing import Literal

Version = Literal["1.2", "1.3"]
Kind = Literal["text", "decimal", "time", "count"]


@dataclass(frozen=True)
class Column:
    """A column: its name, its SQL, its type, and whether it may be null."""

    name: str
    sql: str
    kind: Kind = "text"
    nullable: bool = False


_UNIT = """multiIf(
    meter = '', 'Requests', endsWith(meter, 'tokens'), 'Tokens', endsWith(meter, 'seconds'), 'Seconds',
    meter = 'gb', 'GB', meter = 'gb_hours', 'GB-Hours', meter = 'gb_months', 'GB-Months',
    endsWith(meter, 'characters'), 'Characters', endsWith(meter, 'pixels'), 'Pixels',
    endsWith(meter, 'searches'), 'Searches', meter = 'requests', 'Requests', 'Units')"""
_CATEGORY = (
    "multiIf(kind = 'llm', 'AI and Machine Learning', kind = 'compute', 'Compute', kind = 'storage', 'Storage',"
    " kind = 'transfer', 'Networking', 'Other')"
)
_SUBCATEGORY = (
    "multiIf(kind = 'llm', 'Generative AI', kind = 'compute', 'Virtual Machines', kind = 'storage',"
    " 'Other (Storage)', kind = 'transfer', 'Other (Networking)', 'Other (Other)')"
)
_PROVIDER = "if(provider = '', 'unknown', provider)"
_DETAILS = "if(tier = '', NULL, concat('{\"x_ServiceTier\":', toJSONString(tier), '}'))"
_DESCRIPTION = (
    "concat(sku, if(meter = '', '', concat(' ', replaceAll(meter, '_', ' '))), ', ', activity,"
    " if(status = 'unpriced', ', not or not wholly priced', ''))"
)

STANDARD = (
    Column("BilledCost", "spent", "decimal"),
    Column("BillingAccountId", "tenant"),
    Column("BillingAccountName", "tenant", nullable=True),
    Column("BillingCurrency", "'USD'"),
    Column("BillingPeriodEnd", "toDateTime(addMonths(toStartOfMonth(start), 1), 'UTC')", "time"),
    Column("BillingPeriodStart", "toDateTime(toStartOfMonth(start), 'UTC')", "time"),
    Column("ChargeCategory", "'Usage'"),
    Column("ChargeClass", "NULL::Nullable(String)", nullable=True),
    Column("ChargeDescription", _DESCRIPTION, nullable=True),
    Column("ChargeFrequency", "'Usage-Based'"),
    Column("ChargePeriodEnd", "start + toIntervalSecond({seconds})", "time"),
    Column("ChargePeriodStart", "start", "time"),
    Column("ConsumedQuantity", "quantity", "decimal"),
    Column("ConsumedUnit", _UNIT),
    Column("ContractedCost", "spent", "decimal"),
    Column("EffectiveCost", "spent", "decimal"),
    Column("HostProviderName", _PROVIDER),
    Column("InvoiceIssuerName", _PROVIDER),
    Column("ListCost", "listed", "decimal"),
    Column("PricingCategory", "'Standard'"),
    Column("PricingQuantity", "quantity", "decimal", nullable=True),
    Column("PricingUnit", _UNIT, nullable=True),
    Column("ProviderName", _PROVIDER),
    Column("PublisherName", _PROVIDER),
    Column("RegionId", "nullIf(region, '')", nullable=True),
    Column("RegionName", "nullIf(region, '')", nullable=True),
    Column("ServiceCategory", _CATEGORY),
    Column("ServiceName", f"concat({_PROVIDER}, ' ', {_SUBCATEGORY})"),
    Column("ServiceProviderName", _PROVIDER),
    Column("ServiceSubcategory", _SUBCATEGORY),
    Column("SkuId", "sku"),
    Column("SkuMeter", "if(meter = '', 'requests', meter)"),
    Column("SkuPriceDetails", _DETAILS, nullable=True),
    Column("SkuPriceId", "concat(price, '/', if(meter = '', 'requests', meter))"),
    Column("SubAccountId", "nullIf(project, '')", nullable=True),
    Column("SubAccountName", "nullIf(project, '')", nullable=True),
    Column("Tags", "toJSONString(tags)"),
)
OWN = (
    Column("x_Activity", "activity"),
    Column("x_BusinessUnit", "nullIf(business_unit, '')", nullable=True),
    Column("x_Events", "events", "count"),
    Column("x_Kind", "kind"),
    Column("x_PriceReference", "price"),
    Column("x_PriceStatus", "status"),
    Column("x_Team", "nullIf(team, '')", nullable=True),
    Column("x_UnpricedEvents", "unpriced", "count"),
    Column("x_UseCase", "nullIf(use_case, '')", nullable=True),
)
_SINCE_1_3 = {"HostProviderName", "ServiceProviderName"}
"""What 1.3 calls PublisherName and ProviderName; it deprecates the old names and keeps them."""


def columns(version: Version) -> tuple[Column, ...]:
    """Return the columns of a version: the specification's in alphabetical order, then ours, which begin with x_."""
    return tuple(c for c in STANDARD if version != "1.2" or c.name not in _SINCE_1_3) + OWN
