"""Budget periods in a time zone, as UTC instants; and which rollups cover a span exactly.

Days, weeks, months, quarters and years begin at local midnight, whatever daylight saving time does: a
day has 23, 24 or 25 hours. If local midnight does not exist, the day begins when the clocks jump; if it
comes twice, it begins at the first. Hours are 60 minutes, cut where the zone's standard time cuts them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from outlay_schemas.events import Grain

PeriodName = Literal["hour", "day", "week", "month", "quarter", "year"]

_HOUR = timedelta(hours=1)
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_GRAINS: tuple[tuple[Grain, int], ...] = (("day", 86_400), ("hour", 3600), ("minute", 60))


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Instants from `start` up to but without `end`, UTC."""

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where months, quarters and years begin, and weeks: at the day `day` (of weeks: 1 is Monday)."""

    day: int = 1
    month: int = 1


PLAIN = Anchor()
"""Months begin on the 1st, weeks on Monday, years in January."""


def period_of(at: datetime, period: PeriodName, zone: ZoneInfo, anchor: Anchor = PLAIN) -> Span:
    """Return the period that holds `at`. The periods of a zone tile all time: no gap, no overlap."""
    at = at.astimezone(UTC)
    if period == "hour":
        return _hour_of(at, zone)
    first = _first_day(at.astimezone(zone).date(), period, anchor)
    span = Span(midnight(first, zone), midnight(_next(first, period), zone))
    while at >= span.end:  # the clocks went back over midnight: the local date is a day early
        first = _next(first, period)
        span = Span(span.end, midnight(_next(first, period), zone))
    return span


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which `day` begins in `zone`, UTC."""
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def _hour_of(at: datetime, zone: ZoneInfo) -> Span:
    local = at.astimezone(zone)
    standard = (local.utcoffset() or timedelta()) - (local.dst() or timedelta())
    past = (at + standard - datetime(2000, 1, 1, tzinfo=UTC)) % _HOUR
    return Span(at - past, at - past + _HOUR)


def _first_day(day: date, period: PeriodName, anchor: Anchor) -> date:
    if period == "week":
        return day - timedelta(days=(day.weekday() - (anchor.day - 1)) % 7)
    if period == "day":
        return day
    begun = day.year * 12 + day.month - 1 - (day.day < anchor.day)
    months = _MONTHS[period]
    begun -= (begun - (anchor.month - 1)) % months
    return date(begun // 12, begun % 12 + 1, anchor.day)


def _next(first: date, period: PeriodName) -> date:
    if period in ("day", "week"):
        return first + timedelta(days=1 if period == "day" else 7)
    past = first.year * 12 + first.month - 1 + _MONTHS[period]
    return date(past // 12, past % 12 + 1, first.day)


@dataclass(frozen=True, slots=True)
class Piece:
    """Windows of one grain whose starts lie in `span`."""

    grain: Grain
    span: Span


def cover(span: Span) -> list[Piece]:
    """Return the fewest pieces that add up to exactly `span`: days inside hours inside minutes.

    `span` must begin and end at whole minutes, as every period does.
    """
    return list(_cover(span, 0))


def _cover(span: Span, level: int) -> Iterator[Piece]:
    if span.start >= span.end:
        return
    grain, seconds = _GRAINS[level]
    low = _up(span.start, seconds)
    high = _down(span.end, seconds)
    if low >= high:
        yield from _cover(span, level + 1)
        return
    if level + 1 < len(_GRAINS):
        yield from _cover(Span(span.start, low), level + 1)
    yield Piece(grain, Span(low, high))
    if level + 1 < len(_GRAINS):
        yield from _cover(Span(high, span.end), level + 1)


def floor_to(at: datetime, grain: Grain) -> datetime:
    """Return the start of the UTC window of `grain` that holds `at`."""
    return _down(at, dict(_GRAINS)[grain])


def grain_length(grain: Grain) -> timedelta:
    """Return how long a window of `grain` is."""
    return timedelta(seconds=dict(_GRAINS)[grain])


def _down(at: datetime, seconds: int) -> datetime:
    epoch = int(at.timestamp())
    return datetime.fromtimestamp(epoch - epoch % seconds, UTC)


def _up(at: datetime, seconds: int) -> datetime:
    epoch = int(at.timestamp())
    return datetime.fromtimestamp(epoch + -epoch % seconds, UTC)
