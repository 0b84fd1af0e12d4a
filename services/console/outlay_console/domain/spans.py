"""Spans of time: what a view covers, in its time zone, and which rollups add up to exactly that."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from outlay_schemas.events import Grain

Bucket = Literal["minute", "hour", "day", "month"]
"""What one bar of a chart holds; days and months are the view's time zone's."""
PeriodName = Literal["hour", "day", "week", "month", "quarter", "year"]

_GRAINS: tuple[tuple[Grain, int], ...] = (("day", 86_400), ("hour", 3600), ("minute", 60))
RANGES: dict[str, tuple[str, timedelta]] = {
    "3h": ("3 hours", timedelta(hours=3)),
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "90d": ("90 days", timedelta(days=90)),
}
"""Ranges that end now: name in an address, name for people, length."""


@dataclass(frozen=True, slots=True)
class Span:
    """Instants from `start` up to but without `end`, UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    @property
    def before(self) -> "Span":
        """The span of the same length that ends where this one starts."""
        return Span(self.start - self.length, self.start)


@dataclass(frozen=True, slots=True)
class Piece:
    """Windows of one grain whose starts lie in `span`."""

    grain: Grain
    span: Span


def bucket_for(span: Span) -> Bucket:
    """Return the bucket that makes a readable chart of `span`: at most about 200 bars."""
    if span.length <= timedelta(hours=3):
        return "minute"
    if span.length <= timedelta(days=8):
        return "hour"
    return "day" if span.length <= timedelta(days=200) else "month"


def latest(name: str, now: datetime, zone: ZoneInfo) -> Span:
    """Return the range `name` that ends with the bucket of `now`. Raises KeyError for a name not in RANGES."""
    length = RANGES[name][1]
    if length >= timedelta(days=10):
        end = midnight(now.astimezone(zone).date() + timedelta(days=1), zone)
        return Span(midnight(end.astimezone(zone).date() - length, zone), end)
    past = now.astimezone(zone).utcoffset() or timedelta()
    past %= timedelta(hours=1)  # where a zone's hours begin is not where UTC's do
    end = _up(now, 60) if length <= timedelta(hours=3) else _up(now + past, 3600) - past
    return Span(end - length, end)


def period_of(at: datetime, period: PeriodName, zone: ZoneInfo) -> Span:
    """Return the period that holds `at`; but for hours, they begin at the zone's midnight."""
    if period == "hour":
        start = _down(at, 3600)
        return Span(start, start + timedelta(hours=1))
    first = _first_day(at.astimezone(zone).date(), period)
    return Span(midnight(first, zone), midnight(_next(first, period), zone))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which `day` begins in `zone`, UTC."""
    return datetime.combine(day, time(0), tzinfo=zone).astimezone(UTC)


def source_of(bucket: Bucket, span: Span, zone: ZoneInfo) -> Grain:
    """Return the coarsest rollup that can be grouped into `bucket`s of `zone`, exactly."""
    if bucket == "minute":
        return "minute"
    offsets = {(span.start + n * span.length / 12).astimezone(zone).utcoffset() for n in range(13)}
    if any(offset and offset.total_seconds() % 3600 for offset in offsets):
        return "minute"
    if bucket == "hour" or offsets != {timedelta(0)}:
        return "hour"
    return "day"


def starts_of(bucket: Bucket, span: Span, zone: ZoneInfo) -> list[datetime]:
    """Return the start of every bucket in `span`, so that a bucket without spend is a bar of nothing."""
    if bucket in ("minute", "hour"):
        step = timedelta(minutes=1) if bucket == "minute" else timedelta(hours=1)
        return [span.start + n * step for n in range(int(span.length / step))]
    found = []
    day = span.start.astimezone(zone).date()
    day = day.replace(day=1) if bucket == "month" else day
    while (start := midnight(day, zone)) < span.end:
        found.append(start)
        day = _next(day, "month" if bucket == "month" else "day")
    return found


def cover(span: Span) -> list[Piece]:
    """Return the fewest pieces that add up to exactly `span`: days, with hours and minutes at the edges.

    `span` must begin and end at whole minutes.
    """
    return list(_cover(span, 0))


def _cover(span: Span, level: int) -> Iterator[Piece]:
    if span.start >= span.end:
        return
    grain, seconds = _GRAINS[level]
    low, high = _up(span.start, seconds), _down(span.end, seconds)
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


def _first_day(day: date, period: PeriodName) -> date:
    if period == "week":
        return day - timedelta(days=day.weekday())
    if period == "month":
        return day.replace(day=1)
    if period == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    return day.replace(month=1, day=1) if period == "year" else day


def _next(first: date, period: PeriodName) -> date:
    if period in ("day", "week"):
        return first + timedelta(days=1 if period == "day" else 7)
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    past = first.year * 12 + first.month - 1 + months
    return date(past // 12, past % 12 + 1, 1)


def _down(at: datetime, seconds: int) -> datetime:
    epoch = int(at.timestamp())
    return datetime.fromtimestamp(epoch - epoch % seconds, UTC)


def _up(at: datetime, seconds: int) -> datetime:
    epoch = int(at.timestamp())
    return datetime.fromtimestamp(epoch + -epoch % seconds, UTC)
