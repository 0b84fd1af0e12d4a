"""What a table says of a budget's period, and of the values that it leaves out."""

from decimal import Decimal

from outlay_console.domain.breakdown import Breakdown, BreakdownRow, CostTotal
from outlay_reports.budgets import plan_of
from outlay_schemas.catalog.watch import Budget


def test_what_a_table_leaves_out_is_the_rest_of_its_total() -> None:
    rows = [
        BreakdownRow("a", Decimal(5), Decimal(2), 3, 1, unpriced_before=2),
        BreakdownRow("b", Decimal(4), Decimal(0), 2, unpriced_before=3),
    ]
    whole = Breakdown(rows, CostTotal(Decimal(9), 5, 1), Decimal(2), 5, count=2)
    assert whole.rest is None
    cut = Breakdown(rows[:1], whole.spent, whole.before, whole.unpriced_before, count=2)
    assert cut.rest == BreakdownRow("", Decimal(4), Decimal(0), 2, 0, unpriced_before=3)


def test_a_rolling_budget_is_not_named_after_a_period() -> None:
    budget = Budget(id="b", name="B", amount=Decimal(5))
    names = [
        plan_of(budget.model_copy(update={"rolling_days": days}), "default").period_name
        for days in (None, 1, 7)
    ]
    assert names == ["month", "last day", "last 7 days"]
