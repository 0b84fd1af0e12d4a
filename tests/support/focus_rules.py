"""Checks rows against the rules of FOCUS 1.2, 1.3 and 1.4, as far as the rows themselves show.

Ours, since the FinOps Foundation's focus-validator (2.2.1) has rules for 1.2 only; test_focus_validator.py runs it.
Source of the rules: the column and attribute pages of the specification, focus.finops.org.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

Row = Mapping[str, str]

_NUMBER = re.compile(r"-?\d+(\.\d+)?([Ee][+-]?\d+)?\Z")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\Z")
_NAME = re.compile(r"(x_)?[A-Z][A-Za-z0-9]*\Z")

MANDATORY = {
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodEnd",
    "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargePeriodEnd",
    "ChargePeriodStart", "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity",
    "PricingUnit", "ServiceCategory", "ServiceName",
}  # fmt: skip
_OLD, _NEW = {"ProviderName", "PublisherName"}, {"ServiceProviderName", "HostProviderName"}
_NAMES = {"1.2": _OLD, "1.3": _NEW, "1.4": _NEW}
_GONE: dict[str, set[str]] = {"1.2": set(), "1.3": set(), "1.4": _OLD}
NULLABLE = {
    "BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit", "RegionId",
    "RegionName", "SkuPriceDetails", "SubAccountId", "SubAccountName", "SkuMeter", "ConsumedQuantity",
    "ConsumedUnit", "PricingCategory", "SkuId", "SkuPriceId", "Tags", "InvoiceDetailId", "InvoiceId", "ResourceId",
    "ResourceName",
    "ResourceType", "AvailabilityZone", "ListUnitPrice", "ContractedUnitPrice",
    "PricingCurrencyListUnitPrice", "PricingCurrencyContractedUnitPrice", "AllocatedMethodDetails",
    "AllocatedMethodId", "AllocatedResourceId", "AllocatedResourceName", "AllocatedTags",
}  # fmt: skip
_DECIMALS = (
    "BilledCost",
    "ConsumedQuantity",
    "ContractedCost",
    "EffectiveCost",
    "ListCost",
    "PricingQuantity",
    "ListUnitPrice",
    "ContractedUnitPrice",
    "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost",
    "PricingCurrencyListUnitPrice",
)
_NOT_NEGATIVE = ("Quantity", "UnitPrice")
_TIMES = ("BillingPeriodEnd", "BillingPeriodStart", "ChargePeriodEnd", "ChargePeriodStart")
_IN_ORDER = ("BillingPeriodStart", "ChargePeriodStart", "ChargePeriodEnd", "BillingPeriodEnd")
_ALLOWED = {
    "ChargeCategory": {"Adjustment", "Credit", "Purchase", "Tax", "Usage"},
    "ChargeClass": {"Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"Committed", "Dynamic", "Other", "Standard"},
    "ServiceCategory": {
        "AI and Machine Learning", "Analytics", "Business Applications", "Compute", "Databases", "Developer Tools",
        "Multicloud", "Identity", "Integration", "Internet of Things", "Management and Governance", "Media",
        "Migration", "Mobile", "Networking", "Security", "Storage", "Web", "Other",
    },
}  # fmt: skip
_WITH_USAGE = (
    "ConsumedQuantity", "ConsumedUnit", "PricingQuantity", "PricingUnit", "PricingCategory", "SkuId", "SkuPriceId",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Violation:
    """A rule that a row breaks; line 0: the file as a whole."""

    line: int
    column: str
    rule: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.column} {self.rule}"


def validate(head: Iterable[str], rows: Iterable[Row], version: str = "1.2") -> Iterator[Violation]:
    """Yield what breaks a rule. Rows are as CSV has them: text, an empty cell is null."""
    names = list(head)
    for name in sorted((MANDATORY | _NAMES[version]) - set(names)):
        yield Violation(0, name, "must be present")
    for name in sorted(_GONE[version] & set(names)):
        yield Violation(0, name, f"is not a column of {version}")
    for name in names:
        if not _NAME.match(name):
            yield Violation(0, name, "must be in Pascal case, and custom columns begin with x_")
        if names.count(name) > 1:
            yield Violation(0, name, "is there twice")
    for line, row in enumerate(rows, 2):
        yield from _row(line, row)


def _row(line: int, row: Row) -> Iterator[Violation]:
    yield from _cells(line, row)
    yield from _pricing_currency(line, row)
    if row.get("ChargeCategory") == "Usage" and not row.get("ChargeClass"):
        for name in _WITH_USAGE:
            if name in row and not row[name]:
                yield Violation(line, name, "must not be null for usage")
    yield from _periods(line, row)
    yield from _unit_prices(line, row)
    yield from _allocated(line, row)
    for name, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        if bool(row.get(name)) != bool(row.get(unit)):
            yield Violation(line, unit, f"must be null exactly where {name} is")


def _cells(line: int, row: Row) -> Iterator[Violation]:
    for name, text in row.items():
        if name.startswith("x_"):
            continue
        if not text.strip():
            if text or name not in NULLABLE:
                yield Violation(line, name, "must not be null or blank")
        elif rule := _broken(name, text):
            yield Violation(line, name, rule)


def _broken(name: str, text: str) -> str:
    if name in _DECIMALS:
        return _number(name, text)
    if name in _ALLOWED:
        known = text in _ALLOWED[name]
        return "" if known else f"must be one of {', '.join(sorted(_ALLOWED[name]))}, not {text}"
    if name == "AllocatedMethodDetails":
        return _details(text)
    if name in ("Tags", "AllocatedTags", "SkuPriceDetails"):
        return _pairs(name, text)
    if name in _TIMES:
        return "" if _TIME.match(text) else f"must be UTC as YYYY-MM-DDTHH:mm:ssZ, not {text}"
    fits = not name.endswith("Currency") or re.fullmatch(r"[A-Z]{3}", text)
    return "" if fits else f"must be a code of ISO 4217, not {text}"


def _number(name: str, text: str) -> str:
    if not _NUMBER.match(text):
        return f"must be a decimal number, not {text}"
    return "must not be negative" if name.endswith(_NOT_NEGATIVE) and Decimal(text) < 0 else ""


def _pairs(name: str, text: str) -> str:
    """Key-value format: one JSON object whose values are text, numbers, booleans or null."""
    try:
        found = json.loads(text)
    except ValueError:
        return "must be JSON"
    if not isinstance(found, dict):
        return "must be a JSON object"
    if any(isinstance(value, dict | list) for value in found.values()):
        return "must not nest"
    if name == "SkuPriceDetails" and not all(key.startswith("x_") for key in found):
        return "must begin custom keys with x_"
    return ""


def _details(text: str) -> str:
    """A split's JSON: elements, each with the ratio of the origin that this charge is."""
    try:
        elements = json.loads(text)["Elements"]
        ratios = [element["AllocatedRatio"] for element in elements]
    except (ValueError, KeyError, TypeError):
        return "must be a JSON object of Elements with an AllocatedRatio each"
    return "" if ratios and all(0 <= ratio <= 1 for ratio in ratios) else "must have ratios from 0 to 1"


_IN_PRICING_CURRENCY = (
    "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice",
)  # fmt: skip


def _pricing_currency(line: int, row: Row) -> Iterator[Violation]:
    """What is priced in another currency than it is billed in says what it cost in both. The specification only
    recommends the amounts; we want them."""
    if "PricingCurrency" not in row:
        for name in _IN_PRICING_CURRENCY:
            if name in row:
                yield Violation(line, name, "must have a PricingCurrency")
        return
    if row["PricingCurrency"] == row.get("BillingCurrency"):
        return
    for name in _IN_PRICING_CURRENCY:
        if name not in row:
            yield Violation(line, name, "must be present where pricing and billing currency differ")
        elif name.endswith("UnitPrice") and bool(row[name]) != bool(row.get("SkuPriceId")):
            yield Violation(line, name, "must be null exactly where SkuPriceId is")


def _unit_prices(line: int, row: Row) -> Iterator[Violation]:
    """A unit price is there exactly where there is a sku price, and times the quantity it is the cost."""
    for name in ("ListUnitPrice", "ContractedUnitPrice"):
        if name not in row:
            continue
        if bool(row[name]) != bool(row.get("SkuPriceId")):
            yield Violation(line, name, "must be null exactly where SkuPriceId is")
        cost, quantity = (
            row.get(name.replace("Unit", "").replace("Price", "Cost"), ""),
            row.get("PricingQuantity", ""),
        )
        if not all(_NUMBER.match(text or "") for text in (row[name], cost, quantity)) or not Decimal(
            quantity
        ):
            continue
        off = abs(Decimal(row[name]) * Decimal(quantity) - Decimal(cost))
        if off > Decimal("1e-9") + Decimal("1e-9") * abs(Decimal(cost)):
            yield Violation(line, name, "times PricingQuantity must be the cost")


_ALLOCATED = ("AllocatedMethodDetails", "AllocatedResourceId", "AllocatedResourceName", "AllocatedTags")


def _allocated(line: int, row: Row) -> Iterator[Violation]:
    for name in _ALLOCATED:
        if row.get(name) and not row.get("AllocatedMethodId"):
            yield Violation(line, name, "must be null where nothing was allocated")


def _periods(line: int, row: Row) -> Iterator[Violation]:
    texts = [row.get(name, "") for name in _IN_ORDER]
    if not all(_TIME.match(text) for text in texts):
        return
    first, start, end, last = (datetime.fromisoformat(text) for text in texts)
    if not start < end:
        yield Violation(line, "ChargePeriodEnd", "must be after ChargePeriodStart: it is exclusive")
    if not first <= start or not end <= last:
        yield Violation(line, "ChargePeriodStart", "must lie in the billing period")
