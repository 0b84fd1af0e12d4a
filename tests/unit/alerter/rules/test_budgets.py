"""Thresholds are crossed exactly, are named alike however written, and say how bad they are."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_alerter.rules import budget as budgets
from outlay_alerter.rules.budget import Spent
from outlay_alerter.rules.watch import Budget
from outlay_alerter.watchlist import Watchlist
from outlay_reports.budgets import budget_period, crossed, percent_of
from outlay_schemas.catalog import Catalog, FxRate
from outlay_schemas.catalog import watch as schema

DOLLAR = 10**12
AT = datetime(2026, 11, 24, tzinfo=UTC)


def budget(*thresholds: str, amount: int = 100 * DOLLAR, zone: str = "UTC") -> Budget:
    return Budget(
        id="b", name="B", tenant="acme", amount=amount, period="month", zone=ZoneInfo(zone),
        thresholds=tuple(map(Decimal, thresholds)),
    )  # fmt: skip


@given(
    st.integers(-(10**15), 10**15),
    st.integers(0, 10**15),
    st.decimals("0.0001", 1000, allow_nan=False, places=4),
)
def test_a_threshold_is_crossed_exactly(total: int, amount: int, threshold: Decimal) -> None:
    expected = total > 0 and Fraction(total) >= Fraction(amount) * Fraction(threshold) / 100
    assert crossed(total, amount, threshold) == expected
    share = percent_of(amount, threshold)
    assert crossed(share, amount, threshold) or share == 0
    assert not crossed(share - 1, amount, threshold)


def test_the_last_pico_dollar_decides() -> None:
    assert not crossed(80 * DOLLAR - 1, 100 * DOLLAR, Decimal(80))
    assert crossed(80 * DOLLAR, 100 * DOLLAR, Decimal(80))


def test_a_refund_or_nothing_crosses_nothing_not_even_a_budget_of_zero() -> None:
    assert not crossed(0, 0, Decimal(50))
    assert not crossed(-5, 0, Decimal(50))
    assert crossed(1, 0, Decimal(50))


@pytest.mark.parametrize(
    ("threshold", "severity"),
    [
        ("50", "info"),
        ("79.9", "info"),
        ("80", "warning"),
        ("99", "warning"),
        ("100", "critical"),
        ("120", "critical"),
    ],
)
def test_how_bad_a_threshold_is(threshold: str, severity: str) -> None:
    assert budgets.severity_of(Decimal(threshold)) == severity


@pytest.mark.parametrize(
    ("text", "name"), [("80", "80"), ("80.0", "80"), ("8E+1", "80"), ("0.5", "0.5"), ("100", "100")]
)
def test_a_threshold_has_one_name(text: str, name: str) -> None:
    assert budgets.level_of(Decimal(text)) == name


def test_every_threshold_has_its_figures_crossed_or_not() -> None:
    plan = budget("100", "50", "50.0", zone="Europe/Berlin")
    span = budget_period(plan, AT)
    low, high = budgets.findings(plan, span, Spent(60 * DOLLAR))
    assert (low.breached, low.key.level, low.expected, low.actual) == (True, "50", 50 * DOLLAR, 60 * DOLLAR)
    assert low.title == "B budget: 60% used ($60.00 of $100.00)"
    assert "from 2026-11-01 00:00 Europe/Berlin" in low.summary
    assert (high.breached, high.key.level) == (False, "100")
    assert high.title == "B budget: back below 100% ($60.00 of $100.00)"


def test_an_alert_writes_shares_as_pages_do() -> None:
    """Pages round to whole percents, with thousands separators; the whole amount is never said too soon."""
    plan = budget("50")
    for spent, text in (("118.8", "119%"), ("1738.51", "1,739%"), ("99.996", "99.9%")):
        found, *_ = budgets.findings(plan, budget_period(plan, AT), Spent(int(Decimal(spent) * DOLLAR)))
        assert found.title.startswith(f"B budget: {text} used"), found.title


def test_an_alert_names_the_limit_as_it_is_written_and_in_usd() -> None:
    spec = schema.Budget(
        id="b", name="B", amount=Decimal(100), currency="EUR", forecast_thresholds=(Decimal(100),)
    )
    rate = FxRate.model_validate({"currency": "EUR", "usd": "1.1"})
    (plan,) = Watchlist(Catalog(revision=1, created_at=AT, budgets=(spec,), fx=(rate,))).budgets("default")
    *_, whole = budgets.findings(plan, budget_period(plan, AT), Spent(110 * DOLLAR))
    assert (whole.breached, whole.expected) == (True, 110 * DOLLAR)
    assert whole.title == "B budget: 100% used ($110.00 of $110.00 = €100.00)"


def test_a_budget_of_zero_is_more_than_used_up_by_anything() -> None:
    plan = budget("100", amount=0)
    (found,) = budgets.findings(plan, budget_period(plan, AT), Spent(1))
    assert found.breached
    assert "more than 100% used" in found.title


@pytest.mark.parametrize(
    ("amount", "floor", "severity"), [(9, 10, "warning"), (10, 10, "critical"), (9, 0, "critical")]
)
def test_a_budget_of_little_money_is_at_most_a_warning(amount: int, floor: int, severity: str) -> None:
    spec = schema.Budget(id="b", name="B", amount=Decimal(amount), critical_usd=Decimal(floor))
    plan = budgets.compile_rule(spec, "acme")
    whole = budgets.findings(plan, budget_period(plan, AT), Spent(amount * DOLLAR))[-1]
    assert (whole.key.level, whole.breached, whole.severity) == ("100", True, severity)


def test_a_budget_without_a_tenant_is_the_operators_own() -> None:
    own, each = (
        schema.Budget(id="own", name="O", amount=Decimal(1)),
        schema.Budget(id="each", name="E", amount=Decimal(1), tenant="*"),
    )
    watchlist = Watchlist(Catalog(revision=1, created_at=AT, budgets=(own, each)))
    assert [one.id for one in watchlist.budgets("default")] == ["own", "each"]
    assert [one.id for one in watchlist.budgets("acme")] == ["each"]
