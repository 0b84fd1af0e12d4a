"""A view: the time range, grouping and filters of an address, and the buckets of its chart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outlay_kit.time_ranges import TimeRange, ceil_to, midnight, next_first
from outlay_schemas.dimensions import CELL, LABELS

DIMENSIONS = {name: LABELS[name] for name in CELL}
"""Name in addresses and tables, name for people."""
MAX_VALUES = 50
"""Most values that one filter may name."""
_LONGEST_DAYS = 1100
Bucket = Literal["minute", "hour", "day", "month"]
"""What one bar of a chart holds; days and months are the view's time zone's."""

RANGES: dict[str, tuple[str, timedelta]] = {
    "3h": ("3 hours", timedelta(hours=3)),
    "24h": ("24 hours", timedelta(hours=24)),
    "7d": ("7 days", timedelta(days=7)),
    "30d": ("30 days", timedelta(days=30)),
    "90d": ("90 days", timedelta(days=90)),
}
"""Ranges that end now: name in an address, name for people, length."""


class ViewError(Exception):
    """An address with an invalid value; the message names the fix."""


@dataclass(frozen=True)
class View:
    """A range of time in a time zone, filters, and what it is grouped by."""

    range: str = "24h"
    """A name of RANGES, or `custom`: then `first` and `last` say which local days, both included."""
    first: date | None = None
    last: date | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    by: str = "team"
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Dimension to the values that are shown; an empty value means unassigned."""

    def span(self, now: datetime) -> TimeRange:
        """Return what it covers, seen at `now`."""
        if self.first and self.last:
            end = midnight(self.last + timedelta(days=1), self.zone)
            return TimeRange(midnight(self.first, self.zone), end)
        return latest(self.range, now, self.zone)

    def bucket(self, now: datetime) -> Bucket:
        """Return what one bar of its chart holds."""
        return bucket_for(self.span(now))

    def query(self, **changes: object) -> str:
        """Return the address (from `?`) of this view with `changes`: `by`, `range`, or a dimension's values."""
        pairs: list[tuple[str, str]] = []
        if changes.get("range", self.range) == "custom" and self.first and self.last:
            pairs += [("from", self.first.isoformat()), ("to", self.last.isoformat())]
        else:
            pairs.append(("range", str(changes.get("range", self.range))))
        pairs += [("tz", self.zone.key), ("by", str(changes.get("by", self.by)))]
        for name in DIMENSIONS:
            values = changes.get(name, self.filters.get(name, ()))
            pairs += [(name, str(value)) for value in values] if isinstance(values, tuple) else []
        return "?" + urlencode(pairs)

    def only(self, dimension: str, value: str) -> "View":
        """Return this view with one more filter: `dimension` is `value`."""
        return replace(self, filters={**self.filters, dimension: (value,)})

    def without(self, dimension: str) -> "View":
        """Return this view without the filter on `dimension`."""
        return replace(self, filters={k: v for k, v in self.filters.items() if k != dimension})

    @property
    def unfiltered(self) -> "View":
        """This view without filters."""
        return replace(self, filters={})


def read_view(pairs: Iterable[tuple[str, str]], zone: str = "UTC") -> View:
    """Read a view from an address. `zone` holds where it names none. Raises ViewError."""
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    first, last = _day(given, "from"), _day(given, "to")
    if (first is None) != (last is None):
        raise ViewError("give both from and to, as 2026-11-01, or a range")
    if first and last and not 0 <= (last - first).days < _LONGEST_DAYS:
        raise ViewError(f"to must not be before from, and at most {_LONGEST_DAYS} days after it")
    name = _one(given, "range", "24h")
    if first is None and name not in RANGES:
        raise ViewError(f"{name} is not a range; use one of {', '.join(RANGES)}")
    by = _one(given, "by", "team")
    if by not in DIMENSIONS:
        raise ViewError(f"{by} is not a dimension; use one of {', '.join(DIMENSIONS)}")
    filters = {d: tuple(dict.fromkeys(given[d])) for d in DIMENSIONS if d in given}
    if any(len(values) > MAX_VALUES or max(map(len, values)) > 256 for values in filters.values()):
        raise ViewError(f"a filter takes at most {MAX_VALUES} values of at most 256 characters")
    return View("custom" if first else name, first, last, _zone(_one(given, "tz", zone)), by, filters)


def _one(given: Mapping[str, list[str]], name: str, usual: str) -> str:
    return (given.get(name) or [""])[-1] or usual


def _day(given: Mapping[str, list[str]], name: str) -> date | None:
    text = _one(given, name, "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ViewError(f"{name} must be a day, written as 2026-11-01") from None
    if not 2000 <= day.year < 2099:
        raise ViewError(f"{name} must be a day between 2000 and 2098")
    return day


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ViewError(f"{name[:64]} is not a time zone; use an IANA name such as Europe/Berlin") from None


def bucket_for(span: TimeRange) -> Bucket:
    """Return the bucket that makes a readable chart of `span`: at most about 200 bars."""
    if span.length <= timedelta(hours=3):
        return "minute"
    if span.length <= timedelta(days=8):
        return "hour"
    return "day" if span.length <= timedelta(days=200) else "month"


def latest(name: str, now: datetime, zone: ZoneInfo) -> TimeRange:
    """Return the range `name` that ends with the bucket of `now`. Raises KeyError for a name not in RANGES."""
    length = RANGES[name][1]
    if length >= timedelta(days=10):
        end = midnight(now.astimezone(zone).date() + timedelta(days=1), zone)
        return TimeRange(midnight(end.astimezone(zone).date() - length, zone), end)
    past = now.astimezone(zone).utcoffset() or timedelta()
    past %= timedelta(hours=1)  # where a zone's hours begin is not where UTC's do
    end = ceil_to(now, 60) if length <= timedelta(hours=3) else ceil_to(now + past, 3600) - past
    return TimeRange(end - length, end)


def starts_of(bucket: Bucket, span: TimeRange, zone: ZoneInfo) -> list[datetime]:
    """Return the start of every bucket in `span`, so that a bucket without spend is a bar of nothing."""
    if bucket in ("minute", "hour"):
        step = timedelta(minutes=1) if bucket == "minute" else timedelta(hours=1)
        return [span.start + n * step for n in range(int(span.length / step))]
    found = []
    day = span.start.astimezone(zone).date()
    day = day.replace(day=1) if bucket == "month" else day
    while (start := midnight(day, zone)) < span.end:
        found.append(start)
        day = next_first(day, "month" if bucket == "month" else "day")
    return found
