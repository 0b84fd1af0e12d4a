"""Views cover what they say: in every time zone, to the minute."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay_console.domain.view import RANGES, View, bucket_for, starts_of
from outlay_kit.time_ranges import Piece, TimeRange, cover, cover_each, grain_length, midnight, period_of

NOW = datetime(2026, 11, 25, 14, 42, 7, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]
MINUTES = st.integers(0, 3 * 366 * 1440).map(
    lambda n: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=n)
)


@given(MINUTES, MINUTES)
def test_pieces_add_up_to_exactly_the_span(a: datetime, b: datetime) -> None:
    span = TimeRange(min(a, b), max(a, b))
    pieces = cover(span)
    seconds = {"minute": 60, "hour": 3600, "day": 86_400}
    for piece in pieces:
        assert int(piece.span.start.timestamp()) % seconds[piece.grain] == 0
        assert int(piece.span.end.timestamp()) % seconds[piece.grain] == 0
    assert [p.span.start for p in pieces] == sorted(p.span.start for p in pieces)
    assert all(one.span.end == other.span.start for one, other in pairwise(pieces))
    if pieces:
        assert (pieces[0].span.start, pieces[-1].span.end) == (span.start, span.end)
    assert len(pieces) <= 5


STEPS = st.sampled_from([60, 60, 3600, 3600, 86_400, 300, 5400])


@given(MINUTES, st.lists(st.tuples(STEPS, st.integers(1, 30)), max_size=5), st.booleans())
def test_between_cuts_each_piece_is_covered_alone(
    start: datetime, runs: list[tuple[int, int]], whole: bool
) -> None:
    cuts = [start.replace(hour=0, minute=0) if whole else start]
    for step, times in runs:
        cuts += [cuts[-1] + timedelta(seconds=step) * n for n in range(1, times + 1)]
    apart = [piece for low, high in pairwise(cuts) for piece in cover(TimeRange(low, high))]
    assert list(windows_of(cover_each(cuts))) == list(windows_of(apart))


def windows_of(pieces: Iterable[Piece]) -> Iterator[tuple[str, datetime]]:
    """Name each window of pieces."""
    for piece in pieces:
        at = piece.span.start
        while at < piece.span.end:
            yield piece.grain, at
            at += grain_length(piece.grain)


def test_a_week_of_minutes_is_one_piece() -> None:
    cuts = [datetime(2026, 11, 1, 3, 7, tzinfo=UTC) + timedelta(minutes=n) for n in range(7 * 1440 + 1)]
    assert list(cover_each(cuts)) == [Piece("minute", TimeRange(cuts[0], cuts[-1]))]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("name", RANGES)
def test_a_range_ends_with_the_bucket_of_now_and_is_tiled_by_its_buckets(name: str, zone: str) -> None:
    tz = ZoneInfo(zone)
    span = View(name, zone=tz).span(NOW)
    assert span.start < NOW <= span.end
    assert span.end - NOW <= timedelta(days=1)
    starts = starts_of(bucket_for(span), span, tz)
    assert starts[0] <= span.start
    assert starts == sorted(set(starts))
    assert starts[-1] < span.end
    assert len(starts) <= 200


@given(MINUTES, st.integers(1, 14 * 1440), st.sampled_from(ZONES))
def test_a_range_of_ones_own_is_tiled_by_its_buckets(start: datetime, minutes: int, zone: str) -> None:
    span, tz = TimeRange(start, start + timedelta(minutes=minutes)), ZoneInfo(zone)
    starts = starts_of(bucket_for(span), span, tz)
    assert starts[0] <= span.start < (starts[1] if len(starts) > 1 else span.end)
    assert starts[-1] < span.end
    assert starts == sorted(set(starts))


def test_a_day_in_berlin_has_25_hours_when_the_clocks_go_back() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    span = period_of(datetime(2026, 10, 25, 12, tzinfo=UTC), "day", berlin)
    assert span == TimeRange(datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))
    assert span.length == timedelta(hours=25)


@pytest.mark.parametrize("period", ["hour", "day", "week", "month", "quarter", "year"])
@pytest.mark.parametrize("zone", ZONES)
def test_a_period_holds_its_moment(period: str, zone: str) -> None:
    span = period_of(NOW, period, ZoneInfo(zone))  # type: ignore[arg-type]
    assert span.start <= NOW < span.end


def test_a_week_begins_on_monday() -> None:
    assert period_of(NOW, "week", ZoneInfo("UTC")).start == datetime(2026, 11, 23, tzinfo=UTC)


def test_local_midnight() -> None:
    assert midnight(NOW.date(), ZoneInfo("Asia/Tokyo")) == datetime(2026, 11, 24, 15, tzinfo=UTC)
