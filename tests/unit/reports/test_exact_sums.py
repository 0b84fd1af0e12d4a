"""Amounts that the exchange rates leave finer than 1e-12: whoever adds them up rounds once, at the end."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from outlay_kit.time_ranges import TimeRange
from outlay_reports.compare import compare
from outlay_reports.cost_query import Cell, CostQuery, Sums, total, whole_cells
from outlay_reports.money import dollars, from_pico
from outlay_reports.report_table import ReportTable, Spent
from outlay_reports.showback import showback_table, top_table
from outlay_reports.trend import trend, trend_table
from outlay_schemas.money import Exact, exact_pico, rounded_usd

SPAN = TimeRange(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC))
AMOUNTS = st.fractions(min_value=0, max_value=10**15, max_denominator=10**9)
CELLS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("abc"), st.sampled_from("xyz"), AMOUNTS), max_size=30
)


def cells_of(rows: list[tuple[int, str, str, Fraction]]) -> list[Cell]:
    return [Cell(bucket, (team, user), Sums(cost, 1, beside=cost)) for bucket, team, user, cost in rows]


def cost_of(table: ReportTable) -> Exact:
    assert table.total is not None
    return next(value.pico for value in table.total.values if isinstance(value, Spent))


@given(CELLS)
def test_a_total_is_the_same_however_a_report_is_cut(rows: list[tuple[int, str, str, Fraction]]) -> None:
    cells, whole = cells_of(rows), sum((cost for *_, cost in rows), Fraction(0))
    query = CostQuery(SPAN, ZoneInfo("UTC"), ("team", "user"), {}, ("acme",), "day")
    tables = [
        showback_table(query, cells), top_table(query, cells, 2),
        trend_table(query, trend(query, cells, SPAN.end), cells),
    ]  # fmt: skip
    assert {rounded_usd(cost_of(table)) for table in tables} == {rounded_usd(whole)}


@given(CELLS)
def test_parts_that_must_be_whole_add_up_to_the_rounded_total(
    rows: list[tuple[int, str, str, Fraction]],
) -> None:
    cells = cells_of(rows)
    parts = whole_cells(cells)
    assert total(one.sums for one in parts).cost == round(total(one.sums for one in cells).cost)
    for one, exact in zip(parts, cells, strict=True):
        assert one.sums.cost == int(one.sums.cost)
        assert abs(Fraction(one.sums.cost) - Fraction(exact.sums.cost)) < 1
    found = compare([], [Cell(0, (*one.keys, "llm", "p", "s"), one.sums) for one in cells], 2)
    assert sum(found.all.effects.values()) == found.all.change == total(one.sums for one in parts).cost


def test_amounts_of_usd_are_left_as_they_are() -> None:
    cells = [Cell(0, ("a",), Sums(5)), Cell(0, ("b",), Sums(7))]
    assert whole_cells(cells) is cells


def test_an_exact_amount_is_read_and_written_half_to_even() -> None:
    assert exact_pico(Decimal("1.000000000001")) == 10**12 + 1
    half = exact_pico(Decimal("0.0000000000005"))
    assert half == Fraction(1, 2)
    assert (rounded_usd(half), rounded_usd(half + 1)) == ("0", "0.000000000002")
    assert rounded_usd(-half - 1) == "-0.000000000002"
    assert from_pico(half) == Decimal("5e-13")
    assert dollars(10**12 + half) == "$1.00"
