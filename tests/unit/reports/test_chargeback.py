"""Shared costs are borne whole, and a closed month never changes but by amendments."""

from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.ledger_cells import cell, question

from outlay_reports.allocation import allocate, apportion, dimensions_of
from outlay_reports.chargeback import OWN, SHARED, Closing, Line, amendments, lines_of, statements
from outlay_reports.renderers import html_page, html_table, to_csv
from outlay_reports.report_table import Spent
from outlay_reports.showback import allocated_table
from outlay_reports.statements import chargeback_table, state_of
from outlay_schemas.catalog import Match, Share, Split

NOW = datetime(2026, 12, 2, tzinfo=UTC)
NAMES = ("business_unit", "sku", "project", "team")
CELLS = [
    cell("bu1", "m", "chat", "a", usd="10"),
    cell("bu1", "m", "chat", "b", usd="20"),
    cell("bu2", "m", "search", "c", usd="30"),
    cell("", "gpu", "cluster", "", usd="60.000000000001", events=7),
]
POOL = Match(project=("clus*",))


def split(**more: object) -> Split:
    return Split.model_validate({"id": "cluster", "match": POOL, "method": "proportional", **more})


def borne(one: Split) -> dict[tuple[str, ...], Decimal]:
    found = allocate(CELLS, NAMES, 1, [one])
    assert sum(part.cost for part in found.received) == found.pools["cluster"].cost == 60 * 10**12 + 1
    assert sum(c.sums.cost for c in found.own) == 60 * 10**12
    return {part.keys: Decimal(part.cost) / 10**12 for part in found.received}


def test_a_proportional_split_follows_own_costs() -> None:
    assert borne(split(by="team")) == {("bu1",): Decimal("30.000000000001"), ("bu2",): Decimal(30)}


def test_an_even_split_gives_each_receiver_the_same() -> None:
    shares = [Share(sets={"team": "a"}), Share(sets={"team": "c"}), Share(sets={"team": "b"})]
    found = borne(split(method="even", shares=shares))
    assert found[("bu1",)] > 2 * found[("bu2",)] - Decimal("0.000001") > Decimal("39.999")


def test_a_fixed_split_follows_its_weights_and_may_name_who_spent_nothing() -> None:
    shares = [
        Share(sets={"business_unit": "bu9"}, weight=Decimal("0.25")),
        Share(sets={"team": "c"}, weight=Decimal("0.75")),
    ]
    assert borne(split(method="fixed", shares=shares)) == {
        ("bu9",): Decimal(15), ("bu2",): Decimal("45.000000000001"),
    }  # fmt: skip


def test_costs_without_a_receiver_are_shown_as_unassigned() -> None:
    found = allocate(CELLS[3:], NAMES, 1, [split()])
    assert [(part.keys, part.cost) for part in found.received] == [(("",), 60 * 10**12 + 1)]


def test_a_split_asks_for_the_dimensions_that_it_needs() -> None:
    one = split(match=Match(tags={"pool": ("shared",)}, kind=("compute",)), by="project")
    assert dimensions_of([one]) == ("kind", "project", "tags.pool")


def test_showback_tells_own_and_shared_apart_and_adds_up() -> None:
    sheet = allocated_table(question("business_unit"), allocate(CELLS, NAMES, 1, [split(by="team")]))
    assert [row.values[:4] for row in sheet.rows] == [
        ("bu1", Spent(30 * 10**12), Spent(30 * 10**12 + 1), Spent(60 * 10**12 + 1)),
        ("bu2", Spent(30 * 10**12), Spent(30 * 10**12), Spent(60 * 10**12)),
    ]
    assert sheet.total is not None
    assert sheet.total.values[3] == Spent(120 * 10**12 + 1)
    assert "$60.00 of cluster is shared" in sheet.notes


WEIGHTS = st.dictionaries(st.tuples(st.text(max_size=2)), st.integers(0, 10**20), min_size=1, max_size=8)


@given(st.integers(0, 10**20), WEIGHTS)
def test_parts_add_up_and_a_heavier_weight_never_gets_less(
    amount: int, weights: dict[tuple[str, ...], int]
) -> None:
    parts = apportion(amount, weights)
    assert sum(parts.values()) == amount
    by_weight = [parts[keys] for keys in sorted(weights, key=lambda keys: weights[keys])]
    if any(weights.values()):
        assert all(less <= more + 1 for less, more in pairwise(by_weight))


def lines() -> tuple[Line, ...]:
    return lines_of(allocate(CELLS, NAMES, 3, [split(by="team")]))


def test_lines_name_own_and_shared_use_and_add_up() -> None:
    found = lines()
    assert [line.unit for line in found if line.what == SHARED] == ["bu1", "bu2"]
    assert sum(line.cost for line in found) == sum(c.sums.cost for c in CELLS)


def test_a_closed_month_stays_and_what_comes_later_is_an_amendment() -> None:
    closing = Closing(1, NOW, "ada", "", lines())
    later = (
        *tuple(line for line in lines() if line.unit != "bu2"),
        Line("bu3", OWN, ("m", "x"), 5 * 10**12, 1),
    )
    found = {one.unit: one for one in statements(later, closing)}
    assert found["bu1"].amendments == ()
    assert sum(line.cost for line in found["bu2"].lines) == 60 * 10**12
    assert found["bu2"].amended == 0
    assert sum(line.cost for line in found["bu3"].lines) == 0
    assert found["bu3"].amended == 5 * 10**12
    assert amendments(closing.lines, lines()) == ()
    assert sum(one.amended for one in found.values()) == sum(line.cost for line in later)


def test_statements_are_written_with_their_state_and_escaped() -> None:
    closing = Closing(2, NOW, "ada", "", (Line("<b>", OWN, ("m",), 10**12, 1, 1),))
    now = (Line("<b>", OWN, ("m",), 3 * 10**12, 1, 1),)
    sheet = chargeback_table(
        "2026-11", "UTC", ("business_unit", "sku"), statements(now, closing), state_of(closing, NOW, NOW)
    )
    text = html_page("t", "s", [html_table(sheet)], "now")
    assert "<b>" not in text
    assert "&lt;b&gt;" in text
    assert "closed 2026-12-02" in text
    assert [line.split(",")[3] for line in to_csv(sheet).splitlines()[1:]] == ["1", "2"]
    assert any("+$2.00 of amendments" in note for note in sheet.notes)


@pytest.mark.parametrize(
    ("end", "text"), [(NOW, "may still change"), (datetime(2027, 1, 1, tzinfo=UTC), "so far")]
)
def test_an_open_month_says_so(end: datetime, text: str) -> None:
    assert text in state_of(None, end, NOW)
