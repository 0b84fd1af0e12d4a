"""One way to write money and shares for people, in Python and in the console's charts."""

import json
import shutil
import subprocess
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_reports.money import about, dollars, exact, growth, percent, share, usd
from outlay_schemas.money import to_pico

CHART = Path(__file__).parents[3] / "services/console/outlay_console/static/chart.js"
AMOUNTS = {
    "0": "$0.00",
    "1234567.891": "$1,234,567.89",
    "-3.5": "-$3.50",
    "12.3456": "$12.35",
    "0.1": "$0.10",
    "0.12345": "$0.12",
    "0.0999999": "$0.10",
    "0.095": "$0.095",
    "0.0950": "$0.095",
    "0.05": "$0.05",
    "0.0123456": "$0.0123",
    "-0.00012": "-$0.00012",
    "0.000000123456": "$0.000000123",
    "0.000000000001": "$0.000000000001",
}
SHARES = {
    "0": "0%", "0.0004": "<0.1%", "-0.0004": ">-0.1%", "0.0006": "0.1%", "0.01": "1.0%", "0.011": "1.1%",
    "0.0123": "1.2%", "0.03": "3.0%", "0.05": "5.0%", "-0.05": "-5.0%", "0.0994": "9.9%", "0.0999": "10%",
    "0.124": "12%", "0.173": "17%", "0.99": "99%", "0.997": "99.7%", "0.99999": "99.9%", "1": "100%",
    "1.18825": "119%", "22.69": "2,269%", "-0.5": "-50%",
}  # fmt: skip
"""Shares and changes: tenths below 10%, and where rounding would claim all of it."""


@pytest.mark.parametrize(("amount", "text"), AMOUNTS.items())
def test_an_amount_is_short_and_never_looks_free(amount: str, text: str) -> None:
    assert usd(Decimal(amount)) == usd(amount) == usd(Fraction(amount)) == dollars(to_pico(amount)) == text


def test_an_amount_larger_than_any_float_keeps_its_digits() -> None:
    assert usd("99999999999999999999999999.123456789012") == "$99,999,999,999,999,999,999,999,999.12"


@given(st.integers(1, 10**16))
def test_what_costs_something_is_never_written_as_nothing(pico: int) -> None:
    assert dollars(pico) != "$0.00"
    assert dollars(-pico) == f"-{dollars(pico)}"


def test_signs_lower_bounds_and_unknown_amounts() -> None:
    assert usd("3", sign=True) == "+$3.00"
    assert usd("0", sign=True) == "$0.00"
    assert usd("12.3", lower_bound=True) == "≥ $12.30"
    assert usd(None) == exact(None) == "unpriced"
    assert usd(Decimal("0.00"), lower_bound=True) == dollars(0, lower_bound=True) == "unpriced"
    assert about(1946.4, lower_bound=True) == "≥ $1,946"
    assert about(99.5, lower_bound=True) == "≥ $99.50"


@pytest.mark.parametrize(
    ("currency", "texts"),
    [
        ("EUR", ["-€3.50", "+€3.50", "≥ €3.50", "€3.50", "€1,946", "€0.0123456"]),
        (
            "CHF",
            [
                "-CHF\xa03.50",
                "+CHF\xa03.50",
                "≥ CHF\xa03.50",
                "CHF\xa03.50",
                "CHF\xa01,946",
                "CHF\xa00.0123456",
            ],
        ),
    ],
)
def test_an_amount_of_another_currency_says_so(currency: str, texts: list[str]) -> None:
    plain = Decimal("3.5")
    assert texts == [
        usd(-plain, currency=currency), usd(plain, sign=True, currency=currency),
        usd(plain, lower_bound=True, currency=currency), dollars(to_pico(plain), currency=currency),
        about(Decimal("1946.4"), currency), exact(Decimal("0.0123456"), currency),
    ]  # fmt: skip
    assert usd(None, currency=currency) == exact(None, currency) == "unpriced"


def test_a_forecast_does_not_claim_cents() -> None:
    shown = [about(Decimal(n)) for n in ("0.01234", "12.5", "99.99", "1946.4", "-1234.56")]
    assert shown == ["$0.0123", "$12.50", "$99.99", "$1,946", "-$1,235"]


def test_an_amount_in_full_has_every_digit_and_cents_at_least() -> None:
    shown = [exact(Decimal(n)) for n in ("1.500000000000", "0E-12", "1234.000000000001", "-2")]
    assert shown == ["$1.50", "$0.00", "$1,234.000000000001", "-$2.00"]


@pytest.mark.parametrize(("part", "text"), SHARES.items())
def test_a_share_claims_neither_all_nor_nothing(part: str, text: str) -> None:
    assert percent(Decimal(part)) == percent(Fraction(part)) == text


def test_what_follows_usage_without_a_price_is_not_new() -> None:
    assert growth(3, 0, unpriced_before=2) == ""
    assert growth(3, 2, unpriced_before=2) == growth(3, 2)


def test_growth_and_shares_of_nothing() -> None:
    assert [growth(3, 2), growth(1, 2), growth(1, 0), growth(0, 0), growth(2, 2)] == [
        "+50%",
        "-50%",
        "new",
        "",
        "0%",
    ]
    assert share(1, 0) is None
    assert percent(None) == ""
    assert share(Decimal("0.5"), Decimal(2)) == Fraction(1, 4)


@pytest.mark.skipif(shutil.which("node") is None, reason="node runs the console's JavaScript here")
def test_charts_in_the_browser_follow_the_same_rule() -> None:
    amounts = [amount for amount in AMOUNTS if amount != "0.000000000001"]
    script = (
        f"import({json.dumps(CHART.as_uri())}).then(({{money, about, percent}}) => console.log(JSON.stringify(["
        f"{json.dumps(amounts)}.map((n) => [money(Number(n)), about(Number(n))]),"
        f"{json.dumps(list(SHARES))}.map((n) => percent(Number(n)))])))"
    )
    printed = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, check=True)
    shown, shares = json.loads(printed.stdout)
    assert shown == [[usd(amount), about(Decimal(amount))] for amount in amounts]
    assert shares == list(SHARES.values())
