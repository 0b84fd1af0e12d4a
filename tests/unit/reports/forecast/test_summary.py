"""Probabilities, growth and assumptions."""

import json
from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from tests.support.ledger_cells import sums

from outlay_reports.budgets import BudgetStatus, plan_of
from outlay_reports.cost_query import Sums
from outlay_reports.errors import QueryError
from outlay_reports.forecast.summary import budget_table, growth, likely
from outlay_reports.forecast.whatif import factors, parse_model_swap
from outlay_reports.renderers import display_rows, to_json
from outlay_reports.report_table import Spent
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.money import PICO, Usd


@pytest.mark.parametrize(
    ("probability", "text"), [(0.003, "<1%"), (0.42, "42%"), (0.999, ">99%"), (1.0, "yes")]
)
def test_probabilities_are_written_as_far_as_they_are_known(probability: float, text: str) -> None:
    assert likely(probability) == text


def test_with_unpriced_events_what_is_spent_is_a_lower_bound_and_the_amount_is_not() -> None:
    start, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    state = BudgetStatus(
        budget="b", tenant="acme", name="B", standing="ok", period_start=start, period_end=end,
        amount=Usd("100"), spent=Usd("53"), remaining=Usd("47"), percent="53", at=start, unpriced=3,
    )  # fmt: skip
    plan = plan_of(Budget.model_validate({"id": "b", "name": "B", "amount": 100}), "acme")
    (row,) = budget_table([plan], [state], ZoneInfo("UTC")).rows
    assert row.values[3:5] == (Spent(100 * PICO), Spent(53 * PICO, 3))


def test_people_see_a_forecast_as_pages_show_it_and_programs_see_it_exactly() -> None:
    start, end = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
    state = BudgetStatus(
        budget="b", tenant="acme", name="B", standing="warning", period_start=start, period_end=end,
        amount=Usd("2000"), spent=Usd("1999.92"), remaining=Usd("0.08"), percent="99.99", at=start, unpriced=3,
        forecast=Usd("2511.499"), forecast_low=Usd("2400"), forecast_high=Usd("2600.5"), overrun_probability=1.0,
        runs_out_at=datetime(2026, 11, 29, 22, 30, tzinfo=UTC),
    )  # fmt: skip
    own = {"id": "b", "name": "B", "amount": 2000, "timezone": "Asia/Tokyo"}
    plan = plan_of(Budget.model_validate(own), "acme")
    table = budget_table([plan], [state], ZoneInfo("Europe/Berlin"))
    head, ((_, cells), *_) = display_rows(table)
    read = dict(zip((title for title, _ in head), cells, strict=True))
    assert (read["spent"], read["forecast"], read["used"]) == ("≥ $1,999.92", "≥ $2,511", "99.9%")
    assert read["runs out"] == "2026-11-29 23:30 Europe/Berlin (2026-11-30 07:30 Asia/Tokyo)"
    (row,) = json.loads(to_json(table))["rows"]
    assert (row["forecast_usd"], row["used"]) == ("2511.499", "0.99996")
    assert row["when"] == "2026-11-29T23:30:00+01:00"


def test_growth_is_robust_and_says_when_something_is_full() -> None:
    draw = np.random.default_rng(5)
    line = 100 + 2.0 * np.arange(84) + draw.normal(0, 5, 84)
    line[40] = 5000
    found = growth(line)
    assert found.slope == pytest.approx(2.0, rel=0.1)
    assert found.level == pytest.approx(266, rel=0.05)
    usual, soon, late = found.days_until(366)
    assert usual is not None
    assert soon is not None
    assert late is not None
    assert soon <= usual <= late
    assert usual == pytest.approx(50, rel=0.15)
    assert found.days_until(100) == (0.0, 0.0, 0.0)
    assert growth(np.full(84, 5.0)).days_until(10) == (None, None, None)
    assert growth(np.array([5.0])).days_until(10) == (None, None, None)


def _never(model: str, used: Sums) -> Fraction:
    raise AssertionError(f"the price of {model} is known from its use")


def test_a_model_that_was_not_used_costs_what_the_catalog_says() -> None:
    models = {"costly": sums("90", input_tokens=900), "cheap": sums("10", input_tokens=1000)}
    asked: list[tuple[str, Sums]] = []

    def unit_price(model: str, used: Sums) -> Fraction:
        asked.append((model, used))
        return Fraction(10**12, 50)  # 0.02 USD a token, where `costly` came to 0.10

    assert factors([parse_model_swap("costly>new=50%")], models, [0.0], unit_price) == [
        pytest.approx(1 - 0.9 * 0.5 * 0.8)
    ]
    assert asked == [("new", models["costly"])], "for usage such as that of the model that it stands in for"


def test_assumptions_multiply_and_the_mix_follows_what_tokens_cost() -> None:
    models = {"costly": sums("90", input_tokens=900), "cheap": sums("10", input_tokens=1000)}
    half = parse_model_swap("costly>cheap=50%")
    assert factors([half], models, [0.0], _never) == [pytest.approx(1 - 0.9 * 0.5 * 0.9)]
    assert factors([parse_model_swap("price=-20%")], {}, [0.0, 60.0], _never) == [pytest.approx(0.8)] * 2
    assert factors([parse_model_swap("growth=+10%")], {}, [30.4375 * 2], _never) == [pytest.approx(1.21)]
    assert str(half) == "costly to cheap +50%"


@pytest.mark.parametrize("text", ["price", "price=20", "colour=5%", "a>b=150%", "price=-100%", "=5%"])
def test_an_assumption_that_is_none_is_reported(text: str) -> None:
    with pytest.raises(QueryError):
        parse_model_swap(text)


def test_a_model_that_was_not_used_is_reported_with_those_that_were() -> None:
    with pytest.raises(QueryError, match="ghost") as caught:
        factors([parse_model_swap("ghost>costly=10%")], {"costly": sums("1", input_tokens=1)}, [0.0], _never)
    assert "costly" in caught.value.hint
