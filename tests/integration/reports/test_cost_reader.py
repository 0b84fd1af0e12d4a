"""Every number of a report is the sum of its ledger rows: any zone, any piece of time, any dimension."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.support.ledger import cost_event, expected, random_events, write
from tests.support.stack import Stack

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery, total
from outlay_reports.periods import Unit
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
