"""The rules of FOCUS find what is wrong, and nothing in what is right."""

import pytest
from tests.support.focus_rules import validate

from outlay.focus.columns import Version, columns

GOOD = {
    "BilledCost": "1.25", "BillingAccountId": "acme", "BillingAccountName": "acme", "BillingCurrency": "USD",
    "BillingPeriodEnd": "2026-12-01T00:00:00Z", "BillingPeriodStart": "2026-11-01T00:00:00Z",
    "ChargeCategory": "Usage", "ChargeClass": "", "ChargeDescription": "gpt-5 input tokens",
    "ChargePeriodEnd": "2026-11-24T02:00:00Z", "ChargePeriodStart": "2026-11-24T01:00:00Z", "ConsumedQuantity": "10",
    "ConsumedUnit": "Tokens", "ContractedCost": "1.25", "EffectiveCost": "1.25", "InvoiceIssuerName": "openai",
    "ListCost": "1.25", "PricingQuantity": "10", "PricingUnit": "Tokens", "ProviderName": "openai",
    "PublisherName": "openai", "ServiceCategory": "AI and Machine Learning", "ServiceName": "openai", "Tags": "{}",
    "x_Team": "",
}  # fmt: skip


def broken(version: str = "1.2", **changes: str) -> list[tuple[int, str]]:
    row = {**GOOD, **changes}
    return [(found.line, found.column) for found in validate(row, [row], version)]


def test_a_good_row_breaks_no_rule() -> None:
    assert broken() == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("BilledCost", ""), ("BilledCost", "1,25"), ("BilledCost", "$1"), ("BillingCurrency", "usd"),
        ("ChargeCategory", "Use"),
        ("ChargeClass", "Fix"), ("ChargePeriodStart", "2026-11-24 01:00:00"),
        ("ChargePeriodEnd", "2026-11-24T02:00:00+00:00"),
        ("ConsumedQuantity", ""), ("ConsumedQuantity", "-1"), ("ServiceCategory", "AI"), ("Tags", "env=prod"),
        ("Tags", "[1]"),
        ("Tags", '{"a":{}}'), ("ServiceName", " "), ("BillingAccountId", ""),
    ],
)  # fmt: skip
def test_a_bad_value_is_found(column: str, value: str) -> None:
    assert (2, column) in broken(**{column: value})


def test_periods_must_be_in_order_and_in_their_month() -> None:
    assert (2, "ChargePeriodEnd") in broken(ChargePeriodEnd=GOOD["ChargePeriodStart"])
    assert (2, "ChargePeriodStart") in broken(ChargePeriodEnd="2026-12-02T00:00:00Z")


def test_columns_must_be_there_and_well_named() -> None:
    assert (0, "team") in broken(team="a")
    row = {name: value for name, value in GOOD.items() if name != "ListCost"}
    assert [(v.line, v.column) for v in validate(row, [row])] == [(0, "ListCost")]
    assert {column for _, column in broken("1.3")} == {"HostProviderName", "ServiceProviderName"}
    new = {"HostProviderName": "openai", "ServiceProviderName": "openai"}
    assert broken("1.3", **new) == []
    assert {column for _, column in broken("1.4", **new)} == {"ProviderName", "PublisherName"}


def test_what_is_priced_in_another_currency_says_so_in_full() -> None:
    usd = {
        "PricingCurrency": "USD", "PricingCurrencyContractedUnitPrice": "0.125", "PricingCurrencyEffectiveCost": "1.25",
        "PricingCurrencyListUnitPrice": "0.125", "SkuPriceId": "p", "SkuId": "gpt-5", "PricingCategory": "Standard",
        "BillingCurrency": "EUR",
    }  # fmt: skip
    assert broken(**usd) == []
    for name in (name for name in usd if name.startswith("PricingCurrency")):
        rest = {key: value for key, value in usd.items() if key != name}
        assert broken(**rest) != [], name
        assert (2, name) in broken(**usd | {name: "" if name != "PricingCurrencyListUnitPrice" else "-1"})


def test_a_unit_price_times_the_quantity_is_the_cost_and_allocations_have_a_method() -> None:
    assert broken(SkuPriceId="p", ListUnitPrice="0.125") == []
    assert broken(SkuPriceId="p", ListUnitPrice="0.126") == [(2, "ListUnitPrice")]
    assert broken(SkuPriceId="p", ContractedUnitPrice="") == [(2, "ContractedUnitPrice")]
    assert broken(AllocatedResourceId="growth") == [(2, "AllocatedResourceId")]
    whole = {"AllocatedMethodId": "m", "AllocatedMethodDetails": '{"Elements": [{"AllocatedRatio": 0.5}]}'}
    assert broken(**whole) == []
    assert broken(**{**whole, "AllocatedMethodDetails": "{}"}) == [(2, "AllocatedMethodDetails")]


def test_our_columns_are_in_order_and_ours_come_last() -> None:
    versions: tuple[Version, ...] = ("1.2", "1.3", "1.4")
    for version in versions:
        names = [column.name for column in columns(version)]
        own = [name for name in names if name.startswith("x_")]
        assert names == sorted(set(names) - set(own)) + sorted(own)
