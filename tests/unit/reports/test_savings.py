"""What a saving comes to in a month: the same in the console and on the command line, and nothing from too little."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay.cli.opportunities import analysis_of
from outlay_console.pages.opportunities import _row
from outlay_pricer.opportunities.detector import CACHE, Opportunity
from outlay_pricer.opportunities.search import Opportunities
from outlay_reports.money import dollars
from outlay_reports.report_table import Spent
from outlay_reports.savings import distinct_savings, monthly_saving, saving_basis, savings_table
from outlay_schemas.money import Exact

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DOLLAR = 10**12


def shown(length: timedelta, saving: int) -> tuple[Decimal | None, Exact | None, str]:
    """Return the monthly figure of the console (USD) and of the command line (pico-USD), and its note."""
    since = NOW - length
    row = _row({"saving": Decimal(saving) / DOLLAR, "cost": Decimal(1000), "status": "open"}, since, NOW)
    assert row is not None
    finding = Opportunity(CACHE, ("acme", "growth", "p", "openai", "gpt-5"), saving, 10**15, 5, [("s", "e")])
    found = Opportunities([finding], 5, whole=True, since=since, until=NOW, cached=0)
    sheet = savings_table(analysis_of(found, {}), 10, 1.0)
    cell = sheet.rows[0].values[[column.name for column in sheet.columns].index("monthly_usd")]
    assert cell is None or isinstance(cell, Spent)
    usd = None if row["monthly"] is None else Decimal(row["monthly"])
    return usd, None if cell is None else cell.pico, sheet.notes[0]


def test_both_show_one_figure_with_its_basis() -> None:
    usd, pico, note = shown(timedelta(days=7), 7 * DOLLAR)
    assert (usd, pico) == (Decimal(30), 30 * DOLLAR)
    assert (
        note
        == saving_basis(NOW - timedelta(days=7), NOW)
        == "monthly amounts are extrapolated from 7.0 days of events"
    )


def test_an_hour_of_events_is_not_taken_to_a_month() -> None:
    usd, pico, note = shown(timedelta(hours=1), 40 * DOLLAR)
    assert (usd, pico) == (None, None)
    assert note == "observed in 1.0 hours; a monthly figure needs at least three days of events"
    assert monthly_saving(DOLLAR, NOW - timedelta(days=3), NOW) == 10 * DOLLAR
    assert monthly_saving(DOLLAR, NOW - timedelta(days=3) + timedelta(seconds=1), NOW) is None
    assert dollars(10 * DOLLAR) == "$10.00"


def test_what_is_saved_together_counts_one_way_for_each_sku() -> None:
    found = [
        ("openai", "gpt-5", "batch", 20), ("openai", "gpt-5", "batch", 15), ("openai", "gpt-5", "smaller", 30),
        ("azure", "gpt-5", "smaller", 7), ("aws", "p5", "reserve", 3),
    ]  # fmt: skip
    assert distinct_savings(found) == 35 + 7 + 3
    assert distinct_savings([]) == 0
