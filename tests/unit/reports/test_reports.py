"""What the reports say of given cells: sums, shares, gaps, and effects that add up."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ledger_cells import END, cell, question, sums

from outlay_reports.compare import compare, compare_table
from outlay_reports.cost_query import Cell, Sums, parse_conditions, parse_dimensions
from outlay_reports.errors import QueryError
from outlay_reports.report_table import Spent
from outlay_reports.showback import cached_share, per_unit, showback_table, top_table, tree, walk
from outlay_reports.trend import trend, trend_columns, trend_table


def test_a_tree_adds_up_at_every_level_and_the_most_expensive_is_first() -> None:
    cells = [
        cell("a", "x", usd="1"),
        cell("b", "x", usd="5"),
        cell("a", "y", usd="2"),
        cell("b", "x", usd="0.5"),
    ]
    root = tree(cells, 2)
    assert [(n.keys, n.sums.cost // 10**10) for n in walk(root)] == [
        (("b",), 550), (("b", "x"), 550), (("a",), 300), (("a", "y"), 200), (("a", "x"), 100),
    ]  # fmt: skip
    assert root.sums.cost == sum(child.sums.cost for child in root.children) == 85 * 10**11


def test_what_is_unpriced_or_unassigned_is_shown() -> None:
    cells = [cell("growth", usd="12.3"), cell("", usd="0", events=41, unpriced=41)]
    sheet = showback_table(question("team"), cells)
    assert sheet.rows[1].values[:2] == ("(unassigned)", Spent(0, 41))
    assert any("≥ $12.30, 41 events unpriced" in note for note in sheet.notes)
    assert any("41 events, have no team" in note for note in sheet.notes)


def test_the_rest_of_a_list_is_summed_and_never_dropped() -> None:
    cells = [cell(f"m{n}", usd=str(n)) for n in range(1, 8)]
    sheet = top_table(question("sku"), cells, 3)
    assert [row.values[0] for row in sheet.rows] == ["m7", "m6", "m5", "(4 others)"]
    assert sheet.total is not None
    assert [row.values[1] for row in (*sheet.rows, sheet.total)] == [
        Spent(n * 10**12) for n in (7, 6, 5, 10, 28)
    ]
    assert sheet.rows[2].values[4] == Fraction(18, 28)


def test_a_list_of_nothing_is_not_numbered() -> None:
    assert top_table(question("sku"), [], 3).title.startswith("Top, ")


def test_a_trend_has_no_holes_and_says_no_growth_of_parts() -> None:
    asked = question("team", unit="day")
    cells = [cell("a", usd="1", bucket=0), cell("a", usd="3", bucket=1), cell("b", usd="1", bucket=1)]
    found = trend(asked, cells, END - timedelta(days=27, hours=12))
    assert [point.sums.cost // 10**12 for point in found.all.points[:4]] == [1, 4, 0, 0]
    assert [point.growth for point in found.all.points[:4]] == [None, Fraction(3), None, None]
    assert [point.partial for point in found.all.points[:4]] == [False, False, True, True]
    assert [part.keys for part in found.parts] == [("a",), ("b",)]
    sheet = trend_table(asked, found, cells)
    assert len(sheet.rows) == 60
    wide = trend_columns(asked, found, sheet, most=1)
    assert [column.title for column in wide.columns][2:4] == ["a", "1 others"]


KEYS = st.tuples(st.sampled_from("ab"), st.just("llm"), st.just("p"), st.sampled_from(["m1", "m2", "m3"]))
SUMS = st.builds(
    lambda cost, events, tokens: Sums(cost, events, 0, {"input_tokens": Decimal(tokens)} if tokens else {}),
    st.integers(0, 10**18), st.integers(1, 1000), st.integers(0, 10**9),
)  # fmt: skip
CELLS = st.lists(st.builds(Cell, st.just(0), KEYS, SUMS), max_size=8)


@given(CELLS, CELLS, st.sampled_from([Fraction(1), Fraction(1, 120), Fraction(7, 3)]))
def test_effects_add_up_to_the_difference_exactly(
    earlier: list[Cell], later: list[Cell], scale: Fraction
) -> None:
    found = compare(earlier, later, 1, scale)
    for part in (found.all, *found.parts):
        assert sum(part.effects.values()) == part.change
    assert sum(part.change for part in found.parts) == found.all.change


def _two(costly: tuple[str, int], cheap: tuple[str, int]) -> list[Cell]:
    pairs = (("costly", *costly), ("cheap", *cheap))
    return [cell("t", "llm", "p", name, usd=usd, input_tokens=tokens) for name, usd, tokens in pairs]


def test_effects_name_the_cause() -> None:
    old = _two(("10", 100), ("1", 100))
    more, moved, raised = (
        _two(("20", 200), ("2", 200)),
        _two(("5", 50), ("1.5", 150)),
        _two(("13", 100), ("1", 100)),
    )
    assert _dollars(old, more) == {"price": 0, "volume": 11, "mix": 0, "new": 0, "gone": 0}
    assert _dollars(old, moved) == {"price": 0, "volume": 0, "mix": Fraction(-9, 2), "new": 0, "gone": 0}
    assert _dollars(old, raised) == {"price": 3, "volume": 0, "mix": 0, "new": 0, "gone": 0}
    other = [cell("t", "compute", "p", "gpu", usd="7", compute_seconds=60)]
    assert _dollars(old, other) == {"price": 0, "volume": 0, "mix": 0, "new": 7, "gone": -11}


def test_a_price_that_is_the_same_is_no_cause_though_events_are_rounded() -> None:
    """$0.08 for 730 GB hours: no event's cost is exact, and their sums are off by a few pico-USD."""
    price = Fraction("0.08") / 730

    def used(*hours: int) -> list[Cell]:
        cost = sum(round(price * each * 10**12) for each in hours)
        usd = Decimal(cost).scaleb(-12)
        return [cell("t", "storage", "p", "gp3", usd=f"{usd:f}", events=len(hours), gb_hours=sum(hours))]

    early, late = used(*range(101, 141)), used(*range(203, 303, 2))
    assert Fraction(_usd(late)) / sum(range(203, 303, 2)) != Fraction(_usd(early)) / sum(range(101, 141))
    for scale in (Fraction(1), Fraction(1, 168)):
        found = compare(early, late, 1, scale).all
        assert (found.effects["price"], found.effects["mix"]) == (0, 0)
        assert found.effects["volume"] == found.change > 0
    raised = [replace(late[0], sums=replace(late[0].sums, cost=late[0].sums.cost + 10**6))]
    assert compare(early, raised, 1).all.effects["price"] > 0, "a millionth of a dollar is a price"


COUNTS = st.lists(st.integers(1, 10**6), min_size=1, max_size=8)


@given(
    st.lists(st.tuples(st.fractions(1, 10**9), COUNTS, COUNTS), min_size=1, max_size=5),
    st.sampled_from([Fraction(1), Fraction(1, 120), Fraction(1, 168)]),
)
def test_without_a_change_of_price_no_report_has_an_effect_of_price(
    things: list[tuple[Fraction, list[int], list[int]]], scale: Fraction
) -> None:
    """`things`: pico-USD of one token, and the tokens of each event, before and now."""

    def used(which: int) -> list[Cell]:
        cells = []
        for n, (price, *counts) in enumerate(things):
            cost = sum(round(price * tokens) for tokens in counts[which])
            usd = f"{Decimal(cost).scaleb(-12):f}"
            cells.append(
                cell(
                    "t",
                    "llm",
                    "p",
                    f"m{n}",
                    usd=usd,
                    events=len(counts[which]),
                    input_tokens=sum(counts[which]),
                )
            )
        return cells

    found = compare(used(0), used(1), 1, scale)
    assert [part.effects["price"] for part in (found.all, *found.parts)] == [0] * (1 + len(found.parts))
    table = compare_table(question("team"), question("team"), found, used(1))
    price = [column.name for column in table.columns].index("price_usd")
    assert table.total is not None
    assert {row.values[price] for row in (*table.rows, table.total)} == {0}


def _usd(cells: list[Cell]) -> int:
    return round(cells[0].sums.cost)


def _dollars(earlier: list[Cell], later: list[Cell]) -> dict[str, Fraction]:
    return {name: Fraction(pico, 10**12) for name, pico in compare(earlier, later, 1).all.effects.items()}


def test_an_average_window_is_compared_in_costs_and_quantities() -> None:
    """120 minutes of $1 and 10 tokens, and one of $2 and 20: the volume doubled at the same price."""
    earlier = [cell("t", "llm", "p", "m", usd="120", events=120, input_tokens=1200)]
    later = [cell("t", "llm", "p", "m", usd="2", input_tokens=20)]
    effects = compare(earlier, later, 1, Fraction(1, 120)).all.effects
    assert effects == {"price": 0, "volume": 10**12, "mix": 0, "new": 0, "gone": 0}


def test_unit_economics_are_exact_and_silent_where_nothing_is_known() -> None:
    some = sums("3", events=4, input_tokens=900, output_tokens=100, cache_read_tokens=300)
    assert per_unit(some, some.events) == Fraction(3, 4)
    assert per_unit(some, Fraction(some.tokens) / 1000) == 3
    assert per_unit(some, 2) == Fraction(3, 2)
    assert cached_share(some) == Fraction(1, 3)
    unknown = sums("0", events=4, unpriced=4)
    assert (per_unit(unknown, 4), per_unit(unknown, Fraction(0)), per_unit(some, 0)) == (None, None, None)


def test_dimensions_are_read_with_their_everyday_names() -> None:
    assert parse_dimensions("bu, team,model,tags.env") == ("business_unit", "team", "sku", "tags.env")
    assert parse_dimensions("customer,agent") == ("tags.customer", "attributes.agent")
    assert parse_conditions(["model=a,b", "team=(unassigned)"]) == {"sku": ("a", "b"), "team": ("",)}
    for wrong in ("colour", "team,team", "tags."):
        with pytest.raises(QueryError):
            parse_dimensions(wrong)
    with pytest.raises(QueryError):
        parse_conditions(["team"])
