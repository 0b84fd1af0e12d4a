"""Links to the console's Explore page: the one place that writes them, for every channel and for the console."""

from datetime import UTC, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from outlay_kit.time_ranges import TimeRange, midnight
from outlay_schemas.alerts import Alert
from outlay_schemas.currency import USD
from outlay_schemas.dimensions import CELL, is_free

_BY = ("sku", "user", "team", "project")
"""Explore groups by the first of these that the scope of an alert does not restrict to one value."""
_UTC = ZoneInfo("UTC")
_MONTH = timedelta(days=30)
_LONGEST = 2000
"""Characters of a link in a message: Slack takes 3000."""


def alert_link(console: str, alert: str) -> str:
    """Return the page of an alert; empty without the console's address."""
    return f"{console.rstrip('/')}/alerts/{alert}" if console else ""


def explore_link(alert: Alert) -> str:
    """Return where the console shows the costs of an alert; empty without an address or such a filter."""
    path, base = explore_path(alert), alert.link.rpartition("/alerts/")[0]
    return base + path if base and path and len(path) <= _LONGEST else ""


def explore_path(alert: Alert, zone: ZoneInfo = _UTC, **only: str) -> str:
    """Return the path and query of Explore for exactly the time and scope of an alert, in USD as its amounts are, and
    for the values in `only`.

    Empty: its scope has something by which Explore cannot filter.
    """
    scope = {**alert.scope_values, **{name: (value,) for name, value in only.items()}}
    if not all(name in CELL or is_free(name) for name in scope):
        return ""
    by = next((name for name in (*only, *_BY) if name in only or len(scope.get(name, ())) != 1), _BY[0])
    pairs = [*range_pairs(alert_range(alert), zone), ("tz", zone.key), ("by", by), ("currency", USD.code)]
    amount = alert.facts.get("counts", "cost")
    pairs += [("amount", amount)] if amount != "cost" else []
    pairs += [(name, value) for name in (*CELL, *filter(is_free, scope)) for value in scope.get(name, ())]
    return "/explore?" + urlencode(pairs)


def alert_range(alert: Alert) -> TimeRange:
    """Return the time that an alert is about: from its window's start to where its amount ends, in whole minutes."""
    end = alert.window_end or alert.at
    start = alert.window if alert.window < end else end - _MONTH  # a price change is about the month before
    over = timedelta(seconds=end.second, microseconds=end.microsecond)
    end = end - over + timedelta(minutes=bool(over))
    return TimeRange(start.replace(second=0, microsecond=0), end)


def range_pairs(span: TimeRange, zone: ZoneInfo) -> list[tuple[str, str]]:
    """Write a range for an address: local days, both included, or else minutes in UTC, the last one excluded."""
    first, after = (at.astimezone(zone).date() for at in (span.start, span.end))
    if first < after and (midnight(first, zone), midnight(after, zone)) == (span.start, span.end):
        return [("from", first.isoformat()), ("to", (after - timedelta(days=1)).isoformat())]
    start, end = (f"{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}" for at in (span.start, span.end))
    return [("from", start), ("to", end)]
