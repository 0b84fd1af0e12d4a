"""Cost and charged amount side by side, and what totals rest on."""

from datetime import UTC, datetime

from tests.support.ledger_cells import question

from outlay_reports.allocation import allocate
from outlay_reports.chargeback import Closing, Line, amendments, lines_of, statements
from outlay_reports.cost_query import Cell, Sums
from outlay_reports.money import completeness
from outlay_reports.renderers import to_json, to_markdown
from outlay_reports.showback import showback_table, top_table
from outlay_reports.statements import chargeback_table
from outlay_schemas.catalog import Split

USD = 10**12
MARKED_UP = [
    Cell(0, ("growth",), Sums(10 * USD, 3, beside=11 * USD, estimated=2, guessed=3 * USD)),
    Cell(0, ("",), Sums(2 * USD, 1, 1, beside=2 * USD)),
]


def test_what_a_total_rests_on_is_said_in_one_way() -> None:
    assert completeness(41, 7, 3_100_000_000_000) == "41 events unpriced, $3.10 estimated (7 events)"
    assert completeness(1, 0, 0) == "1 event unpriced"
    assert completeness(0, 1, USD) == "$1.00 estimated (1 event)"
    assert completeness(0, 0, 0) == ""


def test_showback_shows_the_charged_amount_beside_the_cost() -> None:
    sheet = showback_table(question("team"), MARKED_UP)
    text = to_markdown(sheet)
    assert "charged" in text
    assert "≥ $13.00" in text
    assert "≥ $12.00, 1 event unpriced, $3.00 estimated (2 events): the totals are lower bounds" in text
    assert '"charged_usd":"11"' in to_json(sheet).replace(" ", "")


def test_people_see_no_second_amount_where_there_is_no_markup() -> None:
    same = [Cell(0, ("growth",), Sums(USD, 1, beside=USD))]
    for sheet in (showback_table(question("team"), same), top_table(question("team"), same, 5)):
        assert "charged" not in to_markdown(sheet)
        assert "estimated" not in to_markdown(sheet)
        assert '"charged_usd":"1"' in to_json(sheet).replace(" ", "")


def test_free_events_have_a_count_of_their_own() -> None:
    cells = [Cell(0, ("growth",), Sums(0, 3, free=3)), Cell(0, ("",), Sums(USD, 2, free=1))]
    for sheet in (showback_table(question("team"), cells), top_table(question("team"), cells, 5)):
        assert [column.title for column in sheet.columns if not column.wide][-2:] == ["unpriced", "free"]
        assert sheet.total is not None
        assert sheet.total.values[-1] == 4
        assert '"free_events":4' in to_json(sheet).replace(" ", "")
    paid = [Cell(0, ("growth",), Sums(USD, 1))]
    assert "free" not in to_markdown(showback_table(question("team"), paid))


def test_a_statement_charges_with_the_markup_and_says_the_cost() -> None:
    cells = [
        Cell(0, ("consumer", "a"), Sums(11 * USD, 3, beside=10 * USD)),
        Cell(0, ("platform", "b"), Sums(4 * USD, 1, beside=4 * USD)),
        Cell(0, ("", "c"), Sums(3 * USD, 1, beside=2 * USD)),
    ]
    split = Split.model_validate(
        {"id": "rest", "match": {"team": "c"}, "method": "fixed", "shares": [
            {"sets": {"business_unit": "consumer"}, "weight": 1}, {"sets": {"business_unit": "platform"}, "weight": 3},
        ]}
    )  # fmt: skip
    lines = lines_of(allocate(cells, ("business_unit", "team"), 2, [split]))
    assert sum(line.cost for line in lines) == 18 * USD
    assert sum(line.of_provider for line in lines) == 16 * USD
    found = statements(lines, None)
    assert [(one.unit, one.amended, one.of_provider) for one in found] == [
        ("consumer", 11_750_000_000_000, 10_500_000_000_000),
        ("platform", 6_250_000_000_000, 5_500_000_000_000),
    ]
    text = to_markdown(chargeback_table("2026-11", "UTC", ("business_unit", "team"), found, "open"))
    assert "$18.00" in text
    assert "$16.00" in text


def test_an_amendment_carries_both_amounts() -> None:
    closed = (Line("consumer", "own", ("a",), 11 * USD, 3),)  # as 0.1.0 closed it: one amount
    now = (Line("consumer", "own", ("a",), 12 * USD, 3, provider_cost=10 * USD),)
    [item] = amendments(closed, now)
    assert (item.change, item.provider_change) == (USD, -USD)
    closing = Closing(1, datetime(2026, 12, 1, tzinfo=UTC), "ada", "", closed)
    [one] = statements(now, closing)
    assert (one.amended, one.of_provider) == (12 * USD, 10 * USD)
