"""A budget is forecast in its own period and with all of its money, as the alerts hold it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from outlay_kit.time_ranges import TimeRange
from outlay_reports.budgets import (
    BudgetPlan,
    BudgetUsage,
    amount_text,
    budget_period,
    period_amount,
    plan_of,
    status,
)
from outlay_schemas.catalog import FxRate
from outlay_schemas.catalog.watch import Budget as Written

NOW = datetime(2026, 11, 10, 9, 30, tzinfo=UTC)
PICO = 10**12
RATES = [
    FxRate.model_validate({"currency": "EUR", "usd": "1.25", "to": "2026-11-01"}),
    FxRate.model_validate({"currency": "EUR", "usd": "1.1", "from": "2026-11-01", "to": "2026-11-05"}),
    FxRate.model_validate({"currency": "EUR", "usd": "1.6", "from": "2026-11-05"}),
]


def budget(**more: object) -> BudgetPlan:
    return plan_of(Written.model_validate({"id": "b", "name": "b", "amount": 100, **more}), "acme", RATES)


@pytest.mark.parametrize(
    ("more", "start", "end"),
    [
        ({}, (2026, 11, 1), (2026, 12, 1)),
        ({"anchor_day": 15}, (2026, 10, 15), (2026, 11, 15)),
        ({"period": "week", "anchor_day": 3}, (2026, 11, 4), (2026, 11, 11)),
        ({"period": "year", "anchor_month": 7}, (2026, 7, 1), (2027, 7, 1)),
    ],
)
def test_its_period_begins_where_it_says(
    more: dict[str, object], start: tuple[int, int, int], end: tuple[int, int, int]
) -> None:
    expected = TimeRange(datetime(*start, tzinfo=UTC), datetime(*end, tzinfo=UTC))
    assert budget_period(budget(**more), NOW) == expected


def test_a_rolling_one_has_the_last_days() -> None:
    span = budget_period(budget(rolling_days=7), NOW)
    assert (span.length.days, span.end) == (7, NOW + timedelta(minutes=1))


def test_increases_and_what_comes_over_are_part_of_the_money() -> None:
    span = budget_period(budget(), NOW)
    more = [{"amount": 20, "from": "2026-11-20", "to": "2026-11-25"}, {"amount": 7, "from": "2026-12-01"}]
    assert period_amount(budget(increases=more), span, 0) == 120 * PICO
    rolls = budget(rollover_percent=30)
    assert period_amount(rolls, span, 50 * PICO) == 130 * PICO
    assert period_amount(rolls, span, 90 * PICO) == 110 * PICO
    assert period_amount(rolls, span, 200 * PICO) == 100 * PICO
    assert period_amount(budget(amount=Decimal("0.000000000001")), span, 0) == 1


def test_in_another_currency_its_limit_is_worth_what_it_was_when_the_period_began() -> None:
    euros = budget(currency="EUR", increases=[{"amount": 20, "from": "2026-11-20", "to": "2026-11-25"}])
    span = budget_period(euros, NOW)
    assert period_amount(euros, span) == 132 * PICO
    before = budget_period(euros, span.start - timedelta(seconds=1))
    assert period_amount(euros, before) == 125 * PICO
    assert amount_text(132 * PICO, euros, span) == "$132.00 = €120.00"
    assert amount_text(100 * PICO, budget(), span) == "$100.00"
    found = status(euros, span, BudgetUsage(66 * PICO), NOW)
    assert (found.amount, found.percent, found.currency, found.usd_per_unit) == ("132", "50.00", "EUR", "1.1")
    assert status(budget(), span, BudgetUsage(0), NOW).usd_per_unit is None


def test_in_another_currency_what_comes_over_is_of_the_same_limit() -> None:
    euros = budget(currency="EUR", rollover_percent=30)
    span = budget_period(euros, NOW)
    assert period_amount(euros, span, 50 * PICO) == 110 * PICO + 33 * PICO
    assert period_amount(euros, span, 90 * PICO) == 110 * PICO + 20 * PICO
