"""Which tables a sum over a range is read from, and that nothing from outside is pasted into the SQL."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from outlay_kit.time_ranges import TimeRange, midnight, next_first
from outlay_reports.range_sums import Selection, needs_ledger, sums, windows

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = TimeRange(START, START + timedelta(days=1))


def tables(sql: str) -> set[str]:
    return set(re.findall(r"FROM (?!\()(\w+)", sql))


def days(zone: str, count: int = 30) -> list[datetime]:
    first = START.date()
    found = []
    for _ in range(count + 1):
        found.append(midnight(first, ZoneInfo(zone)))
        first = next_first(first, "day")
    return found


@pytest.mark.parametrize(
    ("zone", "read"),
    [
        ("UTC", {"rollup_day"}),
        ("Europe/Berlin", {"rollup_hour"}),
        ("Asia/Kolkata", {"rollup_hour", "rollup_minute"}),
    ],
)
def test_days_of_a_zone_are_read_from_the_coarsest_rollups_that_they_do_not_cut(
    zone: str, read: set[str]
) -> None:
    bounds = days(zone)
    query = sums([Selection(TimeRange(bounds[0], bounds[-1]))], ("team",), bounds=bounds[:-1])
    assert tables(query.sql) == read


def test_a_month_of_any_zone_is_days_and_a_few_hours() -> None:
    bounds = days("Europe/Berlin")
    query = sums([Selection(TimeRange(bounds[0], bounds[-1]))])
    assert tables(query.sql) == {"rollup_day", "rollup_hour"}
    assert query.sql.count("toDateTime(") == 2 * 3  # one range of days, one of hours at each end


def test_many_ranges_are_looked_up_and_not_listed() -> None:
    bounds = days("Asia/Kolkata", 1000)
    query = sums([Selection(TimeRange(bounds[0], bounds[-1]))], bounds=bounds[:-1])
    assert query.sql.count("toDateTime(") == 2 * 2


@pytest.mark.parametrize(
    ("names", "exact", "ledger"),
    [
        (("team", "tenant"), True, False),
        (("user",), False, False),
        (("user",), True, True),
        (("tags.env",), False, True),
        (("attributes.region",), False, True),
        (("price_status",), False, True),
    ],
)
def test_what_only_the_ledger_knows_is_read_from_it(
    names: tuple[str, ...], exact: bool, ledger: bool
) -> None:
    assert needs_ledger(names, exact) is ledger
    query = sums([Selection(DAY, {names[0]: ("x",)})], names, exact=exact)
    assert (tables(query.sql) == {"costs"}) is ledger


def test_what_comes_from_outside_is_bound() -> None:
    evil = "x'] OR 1=1 --"
    keep = sums([Selection(DAY, {"project": (evil,)})], ("team",), tenants=(evil,))
    asked = sums(
        [Selection(DAY, {f"tags.{evil}": (evil,)})], ("team",), tenants=(evil,), meters=(evil,), keep=keep
    )
    rows = windows("minute", DAY, (f"attributes.{evil}",), {"team": (evil,)})
    for query in (keep, asked, rows):
        assert "1=1" not in query.sql
        assert set(re.findall(r"\{(b\w+):", query.sql)) == set(query.bound)
