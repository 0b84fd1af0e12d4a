"""A budget is forecast in its own period and with all of its money, as the alerts hold it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from outlay_kit.time_ranges import TimeRange
from outlay_reports.budgets import BudgetPlan, budget_period, period_amount, plan_of
from outlay_schemas.catalog.watch import Budget as Written

NOW = datetime(2026, 11, 10, 9, 30, tzinfo=UTC)
PICO = 10**12


def budget(**more: object) -> BudgetPlan:
    return plan_of(Written.model_validate({"id": "b", "name": "b", "amount": 100, **more}), "acme")


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
