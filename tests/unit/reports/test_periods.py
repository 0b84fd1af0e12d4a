"""Days, weeks and months of any time zone; what people write for a time."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_kit.time_ranges import TimeRange, period_of
from outlay_reports import report_api
from outlay_reports.errors import QueryError
from outlay_reports.periods import (
    UNITS,
    Unit,
    label,
    parse_time_range,
    parse_zone,
    period_bounds,
    previous_range,
    range_text,
)

NOW = datetime(2026, 11, 25, 14, 30, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia",
)  # fmt: skip
MOMENTS = st.integers(1_100_000_000, 2_050_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("2026-11", "2026-11", "2026-11-01 to 2026-11-30"),
        ("2026-11-24", "2026-11-24", "2026-11-24"),
        ("2026-11-24", "2026-11-25T14:31", "2026-11-24 to 2026-11-25 14:31"),
        ("2026-11-24T22:00", "2026-11-25T00:00", "2026-11-24 22:00 to 2026-11-25 00:00"),
    ],
)
def test_a_range_is_written_as_it_is_asked_for(start: str, end: str, text: str) -> None:
    """What a title says is what `--from` and `--to` take: a day as `--to` is included."""
    found = parse_time_range(start, end, BERLIN, NOW)
    assert range_text(found, BERLIN) == text
    days = text.split(" to ")
    again = parse_time_range(days[0].replace(" ", "T"), days[-1].replace(" ", "T"), BERLIN, NOW)
    assert again == found


@given(MOMENTS, st.sampled_from(UNITS), st.sampled_from(ZONES))
def test_every_moment_is_in_its_unit_and_units_tile_time(at: datetime, unit: Unit, name: str) -> None:
    zone = ZoneInfo(name)
    span = period_of(at, unit, zone)
    assert at in span
    assert period_of(span.end, unit, zone).start == span.end
    assert period_of(span.end - timedelta(seconds=1), unit, zone) == span
    assert period_of(span.start, unit, zone) == span


def test_the_days_of_berlin_have_25_and_23_hours_when_the_clocks_change() -> None:
    autumn = period_bounds(TimeRange(utc("2026-10-24T22:00"), utc("2026-10-26T23:00")), "day", BERLIN)
    assert [b - a for a, b in itertools.pairwise(autumn)] == [
        timedelta(hours=25),
        timedelta(hours=24),
    ]
    spring = period_of(utc("2026-03-29T12:00"), "day", BERLIN)
    assert spring.length == timedelta(hours=23)


def test_days_of_a_zone_of_half_hours_begin_at_half_past() -> None:
    assert period_of(NOW, "day", ZoneInfo("Asia/Kolkata")).start == utc("2026-11-24T18:30")
    assert period_of(NOW, "hour", ZoneInfo("Asia/Kolkata")).start == utc("2026-11-25T14:30")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, ("2026-10-31T23:00", "2026-11-25T14:31")),
        ("2026-10", None, ("2026-09-30T22:00", "2026-10-31T23:00")),
        ("2026-10", "2026-11", ("2026-09-30T22:00", "2026-11-30T23:00")),
        ("2026-11-24", "2026-11-24", ("2026-11-23T23:00", "2026-11-24T23:00")),
        ("36h", None, ("2026-11-24T03:00", "2026-11-25T14:31")),  # whole hours
        ("3h", None, ("2026-11-25T11:31", "2026-11-25T14:31")),  # to the minute
        ("4w", None, ("2026-10-28T23:00", "2026-11-25T14:31")),  # whole days
        ("today", None, ("2026-11-24T23:00", "2026-11-25T14:31")),
        ("2026-11-24T10:00", "2026-11-24T12:00:30Z", ("2026-11-24T09:00", "2026-11-24T12:01")),
    ],
)
def test_what_people_write_is_local_and_an_end_is_included(
    start: str | None, end: str | None, expected: tuple[str, str]
) -> None:
    assert parse_time_range(start, end, BERLIN, NOW) == TimeRange(utc(expected[0]), utc(expected[1]))


@pytest.mark.parametrize(("start", "end"), [("2026-13", None), ("soon", None), ("2026-11-25", "2026-11-20")])
def test_a_time_that_is_none_or_empty_is_reported_with_what_to_do(start: str, end: str | None) -> None:
    with pytest.raises(QueryError) as caught:
        parse_time_range(start, end, BERLIN, NOW)
    assert caught.value.hint


def test_an_unknown_zone_is_reported() -> None:
    with pytest.raises(QueryError, match="Mars"):
        parse_zone("Mars/Olympus")


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2026-09", "2026-09", ("2026-07-31T22:00", "2026-08-31T22:00")),  # a month of 30 days, one of 31
        ("2026-07", "2026-09", ("2026-03-31T22:00", "2026-06-30T22:00")),  # a quarter
        ("2025-01", "2025-12", ("2023-12-31T23:00", "2024-12-31T23:00")),  # a year, one of 366 days
        ("2026-10-15", "2026-11-14", ("2026-09-14T22:00", "2026-10-14T22:00")),  # a month from the 15th on
        ("2026-06-01", "2026-06-07", ("2026-05-24T22:00", "2026-05-31T22:00")),  # a week that begins a month
        ("2026-11-01", "2026-11-01", ("2026-10-30T23:00", "2026-10-31T23:00")),  # a day that begins a month
        ("2026-11-01", "2026-11-10", ("2026-09-30T22:00", "2026-10-10T22:00")),  # a part: the same part
        ("2026-10-25", "2026-10-25", ("2026-10-23T22:00", "2026-10-24T22:00")),  # the day of 25 hours
        ("2026-11-03", "2026-11-12", ("2026-10-23T22:00", "2026-11-02T23:00")),  # ten days
        ("today", None, ("2026-11-23T23:00", "2026-11-24T14:31")),
        ("2026-11", "2026-11", ("2026-09-30T22:00", "2026-10-25T13:31")),  # it is not over: as long a part
        ("2026-11-23", "2026-11-29", ("2026-11-15T23:00", "2026-11-18T14:31")),
        ("2026-10", "2026-12", ("2026-06-30T22:00", "2026-08-25T14:31")),
    ],
)
def test_a_period_is_compared_with_the_one_before_it(
    start: str, end: str | None, expected: tuple[str, str]
) -> None:
    span = parse_time_range(start, end, BERLIN, NOW)
    assert previous_range(span, BERLIN, NOW) == TimeRange(utc(expected[0]), utc(expected[1]))


@pytest.mark.parametrize("start", [None, "2026-12"])
def test_on_the_first_of_a_month_the_month_so_far_is_not_compared_with_a_day(start: str | None) -> None:
    now = utc("2026-12-01T06:30")
    query = report_api.parse_query(now, start=start)
    assert query.before == TimeRange(utc("2026-11-01"), utc("2026-11-01T06:30"))
    today = report_api.parse_query(now, start="today")
    assert today.before is None
    assert previous_range(today.span, today.zone, now) == TimeRange(
        utc("2026-11-30"), utc("2026-11-30T06:30")
    )


def test_too_many_pieces_are_refused() -> None:
    with pytest.raises(QueryError, match="the time range has more than 9,000 "):
        period_bounds(TimeRange(utc("2020-01-01"), utc("2026-01-01")), "hour", BERLIN)


def test_a_piece_is_named_so_that_two_are_never_named_alike() -> None:
    edges = period_bounds(TimeRange(utc("2026-10-24T23:00"), utc("2026-10-25T03:00")), "hour", BERLIN)
    assert [label(at, "hour", BERLIN) for at in edges[:-1]] == [
        "2026-10-25T01:00+02:00", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00",
    ]  # fmt: skip
    assert label(edges[0], "quarter", BERLIN) == "2026-Q4"
