"""Every number of a report is the sum of its ledger rows: any zone, any piece of time, any dimension."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from tests.support.ledger import cost_event, expected, random_events, write
from tests.support.stack import Stack

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery, total
from outlay_reports.periods import Unit
from outlay_schemas.catalog import FxRate
from outlay_schemas.currency import Currency, NoRateError
from outlay_schemas.events import CostEvent

pytestmark = pytest.mark.stack

# Berlin's clocks change in it, and two months meet.
SPAN = TimeRange(datetime(2026, 10, 22, 1, 2, tzinfo=UTC), datetime(2026, 11, 3, 5, 6, tzinfo=UTC))
TENANT = "reports-zones"
EVENTS = random_events(TENANT, SPAN, 1500, seed=7)


@pytest.fixture(scope="module")
def cost_reader(ledger_stack: Stack) -> Iterator[CostReader]:
    write(ledger_stack.writer, EVENTS)
    clickhouse = ClickHouseClient(
        ledger_stack.reader
    )  # as a report reads: without the right to write or to set anything
    yield CostReader(clickhouse)
    clickhouse.close()


def check(cost_reader: CostReader, question: CostQuery, events: list[CostEvent]) -> None:
    cells = cost_reader.cells(question)
    found = {
        (c.bucket, c.keys): (
            c.sums.cost, c.sums.events, c.sums.unpriced, c.sums.usage["input_tokens"], c.sums.beside,
            c.sums.estimated, c.sums.guessed, c.sums.free,
        )
        for c in cells
    }  # fmt: skip
    assert len(found) == len(cells)
    assert found == expected(events, question.bounds, question.by)


@pytest.mark.parametrize(
    ("zone", "unit"),
    [
        ("UTC", "day"), ("Europe/Berlin", "day"), ("Europe/Berlin", "hour"), ("Europe/Berlin", None),
        ("Asia/Kolkata", "day"), ("Asia/Kathmandu", "hour"), ("Australia/Lord_Howe", "week"),
        ("America/New_York", "month"),
    ],
)  # fmt: skip
def test_sums_are_those_of_the_ledger_in_any_zone(
    cost_reader: CostReader, zone: str, unit: Unit | None
) -> None:
    check(
        cost_reader, CostQuery(SPAN, ZoneInfo(zone), ("business_unit", "team"), {}, (TENANT,), unit), EVENTS
    )


@pytest.mark.parametrize("by", [("user",), ("tags.env", "sku"), ("price_status",), ()])
def test_what_the_rollups_do_not_keep_comes_from_the_ledger(
    cost_reader: CostReader, by: tuple[str, ...]
) -> None:
    check(cost_reader, CostQuery(SPAN, ZoneInfo("Europe/Berlin"), by, {}, (TENANT,), "day"), EVENTS)


def test_amounts_are_converted_at_the_rate_of_their_own_time(cost_reader: CostReader) -> None:
    """One rate ends at noon, within a day and within a bucket: the sum is that of its parts."""
    noon, midnight = datetime(2026, 10, 27, 12, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    spans = ((None, noon, "1.1"), (noon, midnight, "1.3"), (midnight, None, "0.0063"))
    rates = [
        FxRate.model_validate({"currency": "XTS", "usd": usd, "from": low, "to": high})
        for low, high, usd in spans
    ]
    currency = Currency("XTS", rates)
    for by in (("team",), ("user",), ()):
        asked = CostQuery(SPAN, ZoneInfo("Europe/Berlin"), by, {}, (TENANT,), "week", currency=currency)
        exact: dict[tuple[int, tuple[str, ...]], list[Fraction]] = {}
        for rate in rates:
            part = [event for event in EVENTS if rate.active(event.time)]
            for key, (cost, _, _, _, charged, _, guessed, _) in expected(part, asked.bounds, by).items():
                sums = exact.setdefault(key, [Fraction(0)] * 3)
                for n, usd in enumerate((cost, charged, guessed)):
                    sums[n] += usd / Fraction(rate.usd)
        cells = cost_reader.cells(asked)
        for cell in cells:
            shown = (cell.sums.cost, cell.sums.beside, cell.sums.guessed)
            right = exact.pop((cell.bucket, cell.keys))
            assert all(
                abs(one - other) <= Fraction(501, 1000) for one, other in zip(shown, right, strict=True)
            )
        assert not exact
        plain = replace(asked, by=(), unit=None)
        (whole,), (pieces,) = cost_reader.totals([plain]), cost_reader.series([replace(plain, unit="day")])
        assert abs(Fraction(whole.cost) - sum(pieces)) <= len(pieces)
        assert whole.cost == sum((cell.sums.cost for cell in cells), Fraction(0)), "exact, however it is cut"


def test_money_without_a_rate_is_an_error_that_says_when(cost_reader: CostReader) -> None:
    late = SPAN.start + timedelta(days=2)
    currency = Currency("XTS", [FxRate.model_validate({"currency": "XTS", "usd": "1.1", "from": late})])
    for by in (("team",), ("user",)):
        asked = CostQuery(SPAN, ZoneInfo("UTC"), by, {}, (TENANT,), "day", currency=currency)
        with pytest.raises(
            NoRateError, match="no exchange rate for XTS from 2026-10-22 01:02 to 2026-10-24 01:02"
        ):
            cost_reader.cells(asked)
        before = TimeRange(SPAN.start - timedelta(days=9), SPAN.start - timedelta(days=1))
        assert cost_reader.cells(replace(asked, span=before)) == [], "nothing was spent then"


@pytest.mark.parametrize("by", [("team",), ("tags.env",)])
def test_a_report_may_be_about_what_is_charged(cost_reader: CostReader, by: tuple[str, ...]) -> None:
    question = CostQuery(SPAN, ZoneInfo("Asia/Kolkata"), by, {}, (TENANT,), "day", amount="charged")
    right = expected(EVENTS, question.bounds, by)
    found = {(c.bucket, c.keys): (c.sums.cost, c.sums.beside) for c in cost_reader.cells(question)}
    assert found == {key: (charged, cost) for key, (cost, _, _, _, charged, *_) in right.items()}
    assert sum(charged for charged, _ in found.values()) > sum(cost for _, cost in found.values()) > 0


def test_conditions_choose_rows_also_unassigned_ones(cost_reader: CostReader) -> None:
    zone = ZoneInfo("UTC")
    some = [e for e in EVENTS if e.team in ("", "growth") and e.sku == "gpt-5"]
    check(
        cost_reader,
        CostQuery(SPAN, zone, ("team",), {"team": ("", "growth"), "sku": ("gpt-5",)}, (TENANT,)),
        some,
    )
    tagged = [e for e in EVENTS if e.tags.get("env") == "prod"]
    check(cost_reader, CostQuery(SPAN, zone, ("team",), {"tags.env": ("prod",)}, (TENANT,)), tagged)


def test_a_tenant_sees_nothing_of_another_and_names_are_never_sql(cost_reader: CostReader) -> None:
    question = CostQuery(
        SPAN, ZoneInfo("UTC"), ("tags.x'; DROP TABLE ledger; --",), {}, ("no-one' OR 1=1 --",)
    )
    assert cost_reader.cells(question) == []


def test_an_event_is_moved_and_repriced_without_a_trace(cost_reader: CostReader, ledger_stack: Stack) -> None:
    tenant, at = "reports-moved", SPAN.start + timedelta(hours=3)
    write(ledger_stack.writer, [cost_event(tenant, 1, at, "5", team="growth")])
    later = cost_event(tenant, 1, at, "4", team="platform")
    later.revision = 2
    write(ledger_stack.writer, [later])
    check(cost_reader, CostQuery(SPAN, ZoneInfo("Europe/Berlin"), ("team",), {}, (tenant,), "day"), [later])


def test_users_are_counted_exactly(cost_reader: CostReader) -> None:
    question = CostQuery(SPAN, ZoneInfo("UTC"), ("team",), {}, (TENANT,))
    expected_users = {
        (team,): len({e.user for e in EVENTS if e.team == team}) for team in {e.team for e in EVENTS}
    }
    assert cost_reader.users(question) == expected_users


def test_the_extent_holds_every_event(cost_reader: CostReader) -> None:
    extent = cost_reader.extent((TENANT,))
    assert extent is not None
    assert all(event.time in extent for event in EVENTS)
    assert cost_reader.extent(("no such tenant",)) is None
    assert TENANT in cost_reader.tenants()


def test_an_empty_time_is_empty(cost_reader: CostReader) -> None:
    empty = TimeRange(datetime(2031, 1, 1, tzinfo=UTC), datetime(2031, 2, 1, tzinfo=UTC))
    cells = cost_reader.cells(CostQuery(empty, ZoneInfo("UTC"), ("team",), {}, (TENANT,)))
    assert total(cell.sums for cell in cells).events == 0
