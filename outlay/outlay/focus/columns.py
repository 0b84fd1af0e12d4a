"""What each FOCUS column is, as SQL over the ledger's rows cut into meters (`query.py`), by focus.finops.org: FOCUS 1.2
(2025-05-30), 1.3 (2025-12-04), 1.4 (2026-06-04). Columns of commitments and of capacity are left out: they are only
asked for of who has such things, and Outlay has none."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Literal

from outlay_schemas.currency import USD, Currency
from outlay_schemas.dimensions import OWNERS

Version = Literal["1.2", "1.3", "1.4"]
Kind = Literal["text", "decimal", "price", "time", "count"]
"""price: a decimal of 18 places, for the price of one token."""


@dataclass(frozen=True)
class Column:
    """A column: its name, its SQL, its type, whether it may be null, and the versions that have it."""

    name: str
    sql: str
    kind: Kind = "text"
    nullable: bool = False
    since: Version = "1.2"
    until: Version = "1.4"


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
    " if(adjusts, ', billed otherwise than its parts', ''),"
    " if(status = 'unpriced', ', not or not wholly priced', ''))"
)
_NONE = "NULL::Nullable(String)"


def _of_usage(sql: str) -> str:
    """An adjustment is of no sku price and no quantity."""
    return f"if(adjusts, NULL, {sql})"


def _unit_price(cost: str) -> str:
    """Where there is a quantity, what one came to: in an hour that crosses a tier, on average."""
    return _of_usage(f"ifNull(toDecimal128({cost}, 18) / nullIf(quantity, 0), toDecimal128(0, 18))")


STANDARD = (
    Column("AllocatedMethodDetails", _NONE, nullable=True, since="1.3"),
    Column("AllocatedMethodId", _NONE, nullable=True, since="1.3"),
    Column("AllocatedResourceId", _NONE, nullable=True, since="1.3"),
    Column("AllocatedResourceName", _NONE, nullable=True, since="1.3"),
    Column("AllocatedTags", _NONE, nullable=True, since="1.3"),
    Column("BilledCost", "spent", "decimal"),
    Column("BillingAccountId", "tenant"),
    Column("BillingAccountName", "tenant", nullable=True),
    Column("BillingCurrency", "'{currency}'"),
    Column("BillingPeriodEnd", "toDateTime(addMonths(toStartOfMonth(start), 1), 'UTC')", "time"),
    Column("BillingPeriodStart", "toDateTime(toStartOfMonth(start), 'UTC')", "time"),
    Column("ChargeCategory", "if(adjusts, 'Adjustment', 'Usage')"),
    Column("ChargeClass", "if(late, 'Correction', NULL)", nullable=True),
    Column("ChargeDescription", _DESCRIPTION, nullable=True),
    Column("ChargeFrequency", "'Usage-Based'"),
    Column("ChargePeriodEnd", "start + toIntervalSecond({seconds})", "time"),
    Column("ChargePeriodStart", "start", "time"),
    Column("ConsumedQuantity", _of_usage("quantity"), "decimal", nullable=True),
    Column("ConsumedUnit", _of_usage(_UNIT), nullable=True),
    Column("ContractedCost", "spent", "decimal"),
    Column("ContractedUnitPrice", _unit_price("spent"), "price", nullable=True),
    Column("EffectiveCost", "spent", "decimal"),
    Column("HostProviderName", _PROVIDER, since="1.3"),
    Column("InvoiceDetailId", "nullIf(detail, '')", nullable=True, since="1.4"),
    Column("InvoiceId", "nullIf(invoice, '')", nullable=True),
    Column("InvoiceIssuerName", _PROVIDER),
    Column("ListCost", "listed", "decimal"),
    Column("ListUnitPrice", _unit_price("listed"), "price", nullable=True),
    Column("PricingCategory", _of_usage("'Standard'"), nullable=True),
    Column("PricingQuantity", _of_usage("quantity"), "decimal", nullable=True),
    Column("PricingUnit", _of_usage(_UNIT), nullable=True),
    Column("ProviderName", _PROVIDER, until="1.3"),
    Column("PublisherName", _PROVIDER, until="1.3"),
    Column("RegionId", "nullIf(region, '')", nullable=True),
    Column("RegionName", "nullIf(region, '')", nullable=True),
    Column("ServiceCategory", _CATEGORY),
    Column("ServiceName", f"concat({_PROVIDER}, ' ', {_SUBCATEGORY})"),
    Column("ServiceProviderName", _PROVIDER, since="1.3"),
    Column("ServiceSubcategory", _SUBCATEGORY),
    Column("SkuId", "sku"),
    Column("SkuMeter", _of_usage("if(meter = '', 'requests', meter)"), nullable=True),
    Column("SkuPriceDetails", _of_usage(_DETAILS), nullable=True),
    Column("SkuPriceId", _of_usage("concat(price, '/', if(meter = '', 'requests', meter))"), nullable=True),
    Column("SubAccountId", "nullIf(project, '')", nullable=True),
    Column("SubAccountName", "nullIf(project, '')", nullable=True),
    Column("Tags", "toJSONString(tags)"),
)
OWN = (
    Column("x_Activity", "activity"),
    Column("x_ChargedCost", "charged", "decimal"),
    Column("x_Events", "events", "count"),
    Column("x_Kind", "kind"),
    Column("x_PriceReference", "price"),
    Column("x_PriceStatus", "status"),
    Column("x_UnpricedEvents", "unpriced", "count"),
    *(
        Column(f"x_{name.title().replace('_', '')}", f"nullIf({name}, '')", nullable=True)
        for name in OWNERS
        if name not in ("project", "user")  # a project is a SubAccount
    ),
)


IN_USD = (
    Column("PricingCurrency", "'USD'"),
    Column("PricingCurrencyContractedUnitPrice", _unit_price("spent_usd"), "price", nullable=True),
    Column("PricingCurrencyEffectiveCost", "spent_usd", "decimal"),
    Column("PricingCurrencyListUnitPrice", _unit_price("listed_usd"), "price", nullable=True),
)
"""What an export in another currency adds: the exact USD, which is what prices are in."""


def columns(version: Version, currency: Currency = USD) -> tuple[Column, ...]:
    """Return the columns of a version: the specification's in alphabetical order, then ours, which begin with x_.
    `currency`: of the amounts."""
    standard = STANDARD if currency == USD else sorted((*STANDARD, *IN_USD), key=attrgetter("name"))
    return (
        *(c for c in standard if c.since <= version <= c.until),
        *sorted(OWN, key=attrgetter("name")),
    )
