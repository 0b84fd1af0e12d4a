"""Time ranges, the periods of a time zone, and the rollup windows that cover a range exactly. All instants are UTC.
Days and longer periods begin at local midnight: a day has 23, 24 or 25 hours. If local midnight does not exist, the
day begins when the clocks jump; if it comes twice, at the first. Hours are cut by the zone's standard time."""

from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from outlay_schemas.events import Grain

PeriodName = Literal["hour", "day", "week", "month", "quarter", "year"]

_HOUR = timedelta(hours=1)
_MINUTES, _DAYS = timedelta(hours=3), timedelta(days=10)
"""Ranges up to the first are cut to the minute, from the second on to days, and between them to hours."""
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_GRAINS: tuple[tuple[Grain, int], ...] = (("day", 86_400), ("hour", 3600), ("minute", 60))
_LENGTHS = {seconds: grain for grain, seconds in _GRAINS}


@dataclass(frozen=True, slots=True, order=True)
class TimeRange:
    """Instants from `start` up to but without `end`, UTC."""

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    @property
    def length(self) -> timedelta:
        """Its length."""
        return self.end - self.start

    @property
    def before(self) -> "TimeRange":
        """The range of the same length that ends where this one starts."""
        return TimeRange(self.start - self.length, self.start)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The day on which months, quarters, years and weeks (1: Monday) begin; in a shorter month its last day."""

    day: int = 1
    month: int = 1


PLAIN = Anchor()
"""Months begin on the 1st, weeks on Monday, years in January."""


def period_of(at: datetime, period: PeriodName, zone: ZoneInfo, anchor: Anchor = PLAIN) -> TimeRange:
    """Return the period that holds `at`. Periods of a zone have no gap and no overlap."""
    at = at.astimezone(UTC)
    if period == "hour":
        return _hour_of(at, zone)
    first = first_day(at.astimezone(zone).date(), period, anchor)
    span = TimeRange(midnight(first, zone), midnight(next_first(first, period, 1, anchor), zone))
    while at >= span.end:  # the clocks went back over midnight: the local date is a day early
        first = next_first(first, period, 1, anchor)
        span = TimeRange(span.end, midnight(next_first(first, period, 1, anchor), zone))
    return span


def latest(length: timedelta, now: datetime, zone: ZoneInfo) -> TimeRange:
    """Return the last hours or days, as every page, command and report counts them.

    Up to three hours are cut to the minute, less than ten days to hours of the zone, more to its days: they end with
    the minute, hour or day of `now`.
    """
    if length >= _DAYS:
        end = midnight(now.astimezone(zone).date() + timedelta(days=1), zone)
        return TimeRange(midnight(end.astimezone(zone).date() - length, zone), end)
    if length <= _MINUTES:
        end = ceil_to(now, 60)
    else:
        # Where the hours of a zone begin is not where those of UTC do.
        past = (now.astimezone(zone).utcoffset() or timedelta()) % _HOUR
        end = ceil_to(now + past, 3600) - past
    return TimeRange(end - length, end)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which `day` begins in `zone`, UTC."""
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def _hour_of(at: datetime, zone: ZoneInfo) -> TimeRange:
    local = at.astimezone(zone)
    standard = (local.utcoffset() or timedelta()) - (local.dst() or timedelta())
    past = (at + standard - datetime(2000, 1, 1, tzinfo=UTC)) % _HOUR
    return TimeRange(at - past, at - past + _HOUR)


def first_day(day: date, period: PeriodName, anchor: Anchor = PLAIN) -> date:
    """Return the first day of the week, month, quarter or year that holds `day`."""
    if period == "week":
        return day - timedelta(days=(day.weekday() - (anchor.day - 1)) % 7)
    if period not in _MONTHS:
        return day
    month = day.year * 12 + day.month - 1
    begun = month - (day < _anchored(month, anchor.day))
    begun -= (begun - (anchor.month - 1)) % _MONTHS[period]
    return _anchored(begun, anchor.day)


def _anchored(month: int, day: int) -> date:
    year, month = month // 12, month % 12 + 1
    return date(year, month, min(day, monthrange(year, month)[1]))


def next_first(first: date, period: PeriodName, count: int = 1, anchor: Anchor = PLAIN) -> date:
    """Return the first day of the period `count` periods after the one that begins with `first`."""
    if period in _MONTHS:
        day = max(first.day, anchor.day)
        return _anchored(first.year * 12 + first.month - 1 + _MONTHS[period] * count, day)
    return first + timedelta(days=7 * count if period == "week" else count)


@dataclass(frozen=True, slots=True)
class Piece:
    """Windows of one grain whose starts lie in `span`."""

    grain: Grain
    span: TimeRange


def cover(span: TimeRange) -> list[Piece]:
    """Return the fewest pieces that add up to `span`, which begins and ends at whole minutes, as every period does."""
    return list(_cover(span, 0))


def cover_each(cuts: Sequence[datetime]) -> Iterator[Piece]:
    """Yield pieces that cover what lies between each two of some whole minutes, in order, and go over no cut.

    Windows of one grain that follow each other, as where a chart or a rule asks for each, come as one piece.
    """
    edges = [int(at.timestamp()) for at in cuts]
    first = 0
    while first < len(edges) - 1:
        last, step = first + 1, edges[first + 1] - edges[first]
        grain = _LENGTHS.get(step)
        if grain is None or edges[first] % step:
            yield from cover(TimeRange(cuts[first], cuts[last]))
        else:
            while last + 1 < len(edges) and edges[last + 1] - edges[last] == step:
                last += 1
            yield Piece(grain, TimeRange(cuts[first], cuts[last]))
        first = last


def _cover(span: TimeRange, level: int) -> Iterator[Piece]:
    if span.start >= span.end:
        return
    grain, seconds = _GRAINS[level]
    low, high = ceil_to(span.start, seconds), _down(span.end, seconds)
    if low >= high:
        yield from _cover(span, level + 1)
        return
    if level + 1 < len(_GRAINS):
        yield from _cover(TimeRange(span.start, low), level + 1)
    yield Piece(grain, TimeRange(low, high))
    if level + 1 < len(_GRAINS):
        yield from _cover(TimeRange(high, span.end), level + 1)


def floor_to(at: datetime, grain: Grain) -> datetime:
    """Return the start of the UTC window of `grain` that holds `at`."""
    return _down(at, dict(_GRAINS)[grain])


def grain_length(grain: Grain) -> timedelta:
    """Return how long a window of `grain` is."""
    return timedelta(seconds=dict(_GRAINS)[grain])


def _down(at: datetime, seconds: int) -> datetime:
    epoch = int(at.timestamp())
    return datetime.fromtimestamp(epoch - epoch % seconds, UTC)


def ceil_to(at: datetime, seconds: int) -> datetime:
    """Return the first instant from `at` on that is a whole number of `seconds` of UTC."""
    epoch = int(at.timestamp())
    return datetime.fromtimestamp(epoch + -epoch % seconds, UTC)
