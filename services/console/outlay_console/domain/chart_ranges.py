"""What a view covers, in its time zone, and the buckets of its chart."""

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from outlay_kit.time_ranges import TimeRange, ceil_to, midnight, next_first

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
