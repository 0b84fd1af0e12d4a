"""A view: the time range, grouping and filters of an address, and the buckets of its chart."""

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outlay_kit.time_ranges import PeriodName, TimeRange, latest, midnight, next_first, period_of
from outlay_reports.cost_query import Amount, parse_amount
from outlay_reports.errors import QueryError
from outlay_reports.explore_links import range_pairs
from outlay_reports.periods import before_named, past_part, previous_range, whole_months
from outlay_schemas.currency import USD, Currency
from outlay_schemas.dimensions import (
    CELL,
    CONDITIONS,
    LEDGER,
    WELL_KNOWN,
    condition_of,
    dimension_of,
    is_free,
    label_of,
)

DIMENSIONS = {name: label_of(name) for name in (*CELL, *WELL_KNOWN.values(), *LEDGER)}
"""Name in addresses and tables, name for people. `tags.NAME` and `attributes.NAME` may be asked for too."""
GROUPS = 3
"""Most dimensions that a view is grouped by."""
JOINT = "\x1f"
"""Stands between the values of a row that is grouped by several dimensions; no value holds it."""
MAX_VALUES = 50
"""Most values that one filter may name."""
_LONGEST_DAYS = 1100
_LONGEST_NAME = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Bucket = Literal["minute", "hour", "day", "month"]
"""What one bar of a chart holds; days and months are the view's time zone's."""

RANGES: dict[str, tuple[str, timedelta]] = {
    "3h": ("3 h", timedelta(hours=3)),
    "24h": ("24 h", timedelta(hours=24)),
    "7d": ("7 d", timedelta(days=7)),
    "30d": ("30 d", timedelta(days=30)),
    "90d": ("90 d", timedelta(days=90)),
}
"""Ranges that end now: name in an address, name for people, length."""
PERIODS: dict[str, tuple[str, PeriodName, int]] = {
    "today": ("Today", "day", 0),
    "yesterday": ("Yesterday", "day", 1),
    "month": ("This month", "month", 0),
    "last-month": ("Last month", "month", 1),
}
"""Ranges of the calendar: name in an address, name for people, the period, how many periods back."""


COMPARISONS = {
    "previous": "Previous period",
    "week": "A week earlier",
    "month": "A month earlier",
    "year": "A year earlier",
}
"""What a chart may be compared with: name in an address, name for people. A day is the start of a range as long."""


_BY_MONTHS = ("month", "year")


class ViewError(Exception):
    """An address with an invalid value; the message names the fix."""


@dataclass(frozen=True)
class View:
    """A range of time in a time zone, filters, and what it is grouped by."""

    range: str = "24h"
    """A name of RANGES or PERIODS, or `custom`: then `own` says from when to when."""
    own: TimeRange | None = None
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    by: str = "team"
    then: tuple[str, ...] = ()
    """What it is grouped by within `by`."""
    compare: str = ""
    """A name of COMPARISONS, or a day; empty: the table is compared with the range before, and the chart with none."""
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Condition (dimensions.CONDITIONS) to its values; an empty value means unassigned."""
    chosen: str = ""
    """The code of the currency that the address names."""
    currency: Currency = USD
    """The currency of amounts, with its rates: the one chosen, else the console's own."""

    amount: Amount = "cost"
    """Which amount it shows: what providers charge, or what internal customers pay."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Everything that it is grouped by."""
        return (self.by, *self.then)

    def span(self, now: datetime) -> TimeRange:
        """Return what it covers, seen at `now`."""
        if self.own:
            return self.own
        if self.range in PERIODS:
            _, period, back = PERIODS[self.range]
            return _period(now, period, self.zone, back)
        return latest(RANGES[self.range][1], now, self.zone)

    def before(self, now: datetime) -> TimeRange:
        """Return what it is compared with: without a choice, as reports do (`before_named`, `previous_range`)."""
        span = self.span(now)
        if self.compare in ("", "previous"):
            return before_named(self.range, span, self.zone, now) or previous_range(span, self.zone, now)
        start = _earlier(self.compare, span.start, self.zone)
        if self.compare in _BY_MONTHS and whole_months(span, self.zone):
            return past_part(TimeRange(start, _earlier(self.compare, span.end, self.zone)), span, now)
        return past_part(TimeRange(start, start + span.length), span, now)

    def bucket(self, now: datetime) -> Bucket:
        """Return what one bar of its chart holds."""
        return bucket_for(self.span(now))

    def query(self, **changes: object) -> str:
        """Return the address (from `?`) of this view with `changes`: `by`, `range` or `amount`."""
        pairs: list[tuple[str, str]] = []
        if changes.get("range", self.range) == "custom" and self.own:
            pairs += range_pairs(self.own, self.zone)
        else:
            pairs.append(("range", str(changes.get("range", self.range))))
        pairs += [("tz", self.zone.key), ("by", str(changes.get("by", self.by)))]
        pairs += [("by", name) for name in self.then if "by" not in changes]
        pairs += [("compare", self.compare)] if self.compare else []
        pairs += [("currency", self.chosen)] if self.chosen else []
        amount = str(changes.get("amount", self.amount))
        pairs += [("amount", amount)] if amount != "cost" else []
        pairs += [(name, value) for name, values in self.filters.items() for value in values]
        return "?" + urlencode(pairs)

    def only(self, dimension: str, value: str) -> "View":
        """Return this view with one more filter: `dimension` is `value`."""
        return replace(self, filters={**self.filters, dimension: (value,)})

    def row(self, value: str) -> "View":
        """Return this view of one row of its table: every dimension that it is grouped by has the row's value."""
        values = dict(zip(self.groups, ((one,) for one in value.split(JOINT)), strict=True))
        return replace(self, filters={**self.filters, **values})

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
    local = read_zone(_one(given, "tz", zone))
    first, last = _moment(given, "from", local), _moment(given, "to", local)
    if (first is None) != (last is None):
        raise ViewError("give both from and to, as 2026-11-01, or a range")
    own = TimeRange(first, last) if first and last else None
    if own and not timedelta(0) < own.length <= timedelta(days=_LONGEST_DAYS, hours=1):
        raise ViewError(f"to must be after from, and at most {_LONGEST_DAYS} days")
    name = _one(given, "range", "24h")
    if own is None and name not in {*RANGES, *PERIODS}:
        raise ViewError(f"{name} is not a range; use one of {', '.join((*RANGES, *PERIODS))}")
    groups = tuple(dict.fromkeys(name for name in given.get("by", ()) if name)) or ("team",)
    if unknown := next((name for name in groups if not is_dimension(name)), None):
        raise ViewError(
            f"{unknown} is not a dimension; use one of {', '.join(DIMENSIONS)}, tags.NAME, attributes.NAME"
        )
    if len(groups) > GROUPS:
        raise ViewError(f"a view is grouped by at most {GROUPS} dimensions")
    compare = _one(given, "compare", "")
    if compare and compare not in COMPARISONS:
        _moment(given, "compare", local)
    filters = {
        name: tuple(dict.fromkeys(values))
        for name, values in given.items()
        if condition_of(name) in CONDITIONS and is_dimension(dimension_of(name))
    }
    if any(len(values) > MAX_VALUES or max(map(len, values)) > 256 for values in filters.values()):
        raise ViewError(f"a filter takes at most {MAX_VALUES} values of at most 256 characters")
    chosen = _one(given, "currency", "").upper()
    if chosen and not re.fullmatch(r"[A-Z]{3}", chosen):
        raise ViewError("currency must be an ISO 4217 code, such as EUR")
    return View(
        "custom" if own else name, own, local, groups[0], groups[1:], compare, filters, chosen,
        amount=_amount(given),
    )  # fmt: skip


def view_of(
    span: TimeRange, zone: ZoneInfo, now: datetime, *, by: str, filters: Mapping[str, tuple[str, ...]]
) -> View:
    """Return the view of a range: a period that has not ended under its name, so that it is what the other pages call
    this month; else from when to when."""
    for name, (_, period, back) in PERIODS.items():
        if not back and span == period_of(now, period, zone):
            return View(name, None, zone, by, filters=filters)
    return View("custom", span, zone, by, filters=filters)


def query_pairs(query: str) -> list[tuple[str, str]]:
    """Return the names and values of an address within Explore, from `?`."""
    return parse_qsl(query.removeprefix("?"), keep_blank_values=True)


def is_dimension(name: str) -> bool:
    """Tell whether views may group and filter by a name."""
    return name in DIMENSIONS or (is_free(name) and len(name) <= _LONGEST_NAME and name.isprintable())


def _earlier(compare: str, start: datetime, zone: ZoneInfo) -> datetime:
    """Return the start of what a range from `start` is compared with: the same local time, or a day's midnight."""
    if compare not in COMPARISONS:
        return midnight(date.fromisoformat(compare), zone)
    local = start.astimezone(zone)
    if compare == "week":
        return (local - timedelta(days=7)).astimezone(UTC)
    months = local.year * 12 + local.month - 1 - (1 if compare == "month" else 12)
    year, month = divmod(months, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day).astimezone(UTC)


def _one(given: Mapping[str, list[str]], name: str, usual: str) -> str:
    return (given.get(name) or [""])[-1] or usual


def _amount(given: Mapping[str, list[str]]) -> Amount:
    try:
        return parse_amount(_one(given, "amount", "cost"))
    except QueryError as error:
        raise ViewError(f"{error}; {error.hint}") from error


def _moment(given: Mapping[str, list[str]], name: str, zone: ZoneInfo) -> datetime | None:
    text = _one(given, name, "")
    return read_moment(text, name, zone) if text else None


def read_moment(text: str, name: str, zone: ZoneInfo) -> datetime:
    """Read the minute in UTC of a field: of a day, its midnight in `zone`, or for `to` the midnight after it. Raises
    ViewError."""
    try:
        if len(text) == len("2026-11-01"):
            at = midnight(date.fromisoformat(text) + timedelta(days=name == "to"), zone)
        else:
            at = datetime.fromisoformat(text)
            at = at if at.tzinfo else at.replace(tzinfo=zone)
        at = at.astimezone(UTC).replace(second=0, microsecond=0)
    except (ValueError, OverflowError):
        raise ViewError(f"{name} must be a day or a time, as 2026-11-01 or 2026-11-01T09:30Z") from None
    if not 2000 <= at.year < 2099:
        raise ViewError(f"{name} must be between 2000 and 2098")
    return at


def read_zone(name: str) -> ZoneInfo:
    """Read the name of a time zone. Raises ViewError."""
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


def _period(now: datetime, period: PeriodName, zone: ZoneInfo, back: int) -> TimeRange:
    found = period_of(now, period, zone)
    for _ in range(back):
        found = period_of(found.start - timedelta(hours=1), period, zone)
    return found


def starts_of(bucket: Bucket, span: TimeRange, zone: ZoneInfo) -> list[datetime]:
    """Return the start of every bucket in `span`, so that a bucket without spend is a bar of nothing."""
    if bucket in ("minute", "hour"):
        step = timedelta(minutes=1) if bucket == "minute" else timedelta(hours=1)
        past = span.start.astimezone(zone).utcoffset() or timedelta()
        first = span.start - (span.start - _EPOCH + past) % step
        return [first + n * step for n in range(-((first - span.end) // step))]
    found = []
    day = span.start.astimezone(zone).date()
    day = day.replace(day=1) if bucket == "month" else day
    while (start := midnight(day, zone)) < span.end:
        found.append(start)
        day = next_first(day, "month" if bucket == "month" else "day")
    return found
