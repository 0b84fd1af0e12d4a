"""Time ranges as people write them, cut into the periods of a time zone, and named."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from zoneinfo import ZoneInfo

from outlay_kit.time_ranges import (
    PeriodName,
    TimeRange,
    ceil_to,
    first_day,
    floor_to,
    latest,
    midnight,
    next_first,
    period_of,
)
from outlay_reports.errors import QueryError

Unit = PeriodName
UNITS: tuple[Unit, ...] = get_args(Unit)

_MINUTE = timedelta(minutes=1)
_SHORTEST_MONTH = 28
_PARTS: tuple[Unit, ...] = ("day", "month")
"""Periods whose first part is compared with the same part of the one before."""
_AGO = re.compile(r"(\d{1,4})([hdw])\Z")
_LENGTHS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_FORMS: dict[Unit | None, str] = {"month": "%Y-%m", "year": "%Y", "day": "%Y-%m-%d", "week": "%Y-%m-%d"}
_MONTH = re.compile(r"(\d{4})-(\d{2})\Z")


def parse_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name. Raises QueryError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise QueryError(
            f"{name} is not a time zone", "give an IANA name such as Europe/Berlin, or UTC"
        ) from None


def period_bounds(span: TimeRange, unit: Unit | None, zone: ZoneInfo) -> list[datetime]:
    """Return the instants that cut a range into units; no unit: one piece. Raises QueryError above 9,000."""
    if unit is None:
        return [span.start, span.end]
    found = [span.start]
    while found[-1] < span.end:
        found.append(min(period_of(found[-1], unit, zone).end, span.end))
        if len(found) > 9_000:
            raise QueryError(
                f"the time range has more than 9,000 {unit}s", "ask for a shorter time or a longer unit"
            )
    return found


def label(at: datetime, unit: Unit | None, zone: ZoneInfo) -> str:
    """Name the unit that begins at `at`: 2026-11, 2026-Q4, 2026-11-24, 2026-11-24T01:00+01:00."""
    local = at.astimezone(zone)
    if unit == "quarter":
        return f"{local:%Y}-Q{(local.month + 2) // 3}"
    return local.strftime(_FORMS[unit]) if unit in _FORMS else local.isoformat(timespec="minutes")


def moment_text(at: datetime, zone: ZoneInfo, own: ZoneInfo | None = None) -> str:
    """Write an instant with the name of its zone, and in a zone of its own beside it, if the clocks there differ:
    2026-11-30 23:30 UTC (2026-12-01 00:30 Europe/Berlin)."""
    here, there = at.astimezone(zone), at.astimezone(own or zone)
    text = f"{here:%Y-%m-%d %H:%M} {zone.key}"
    if own is None or there.utcoffset() == here.utcoffset():
        return text
    return f"{text} ({there:{'%H:%M' if there.date() == here.date() else '%Y-%m-%d %H:%M'}} {own.key})"


def range_text(span: TimeRange, zone: ZoneInfo) -> str:
    """Write a range as `--from` and `--to` take it: whole days as the first and the last day, 2026-11-01 to 2026-11-30,
    one as 2026-11-24; with clock times where it ends within a day."""
    start, end = (at.astimezone(zone) for at in (span.start, span.end))
    if all(midnight(at.date(), zone) == at for at in (start, end)):
        first, last = start.date(), end.date() - timedelta(days=1)
        return f"{first}" if first == last else f"{first} to {last}"
    begun = f"{start:%Y-%m-%d %H:%M}".removesuffix(" 00:00")
    return f"{begun} to {end:%Y-%m-%d %H:%M}"


def before_named(start: str | None, span: TimeRange, zone: ZoneInfo, now: datetime) -> TimeRange | None:
    """Return what the range from `--from` until now is compared with, where that names a month (also if it is left out)
    or the last hours or days. None: it names a moment; see `previous_range`."""
    if start is None or _MONTH.match(start):
        return previous_range(span, zone, now, "month")
    if ago := _AGO.match(start):
        whole = latest(_length(ago), now, zone)
        return past_part(_days_before(whole, zone), whole, now)
    return None


def parse_time_range(start: str | None, end: str | None, zone: ZoneInfo, now: datetime) -> TimeRange:
    """Read `--from` and `--to`. Without them: the month so far. A month or day as `--to` is included.

    Each is a day (2026-11-24), a month (2026-11), an instant (2026-11-24T10:00:00Z; without an offset it is
    local), or for the start the last hours, days or weeks (36h, 7d, 4w; see `latest`). Raises QueryError.
    """
    last = _moment("now" if end is None else end, zone, now, last=True)
    first = period_of(last - _MINUTE, "month", zone).start
    if start is not None:
        first = _moment(start, zone, now, last=False)
        if end is None and _MONTH.match(start):
            last = min(ceil_to(now, 60), _moment(start, zone, now, last=True))
    if first >= last:
        raise QueryError(
            f"the time from {first.isoformat()} to {last.isoformat()} is empty", "give a --from before --to"
        )
    return TimeRange(first, last)


def _moment(text: str, zone: ZoneInfo, now: datetime, *, last: bool) -> datetime:
    if text in ("now", "today"):
        return ceil_to(now, 60) if text == "now" or last else period_of(now, "day", zone).start
    if ago := _AGO.match(text):
        return latest(_length(ago), now, zone).start
    try:
        if month := _MONTH.match(text):
            first = date(int(month[1]), int(month[2]), 1)
            return midnight(next_first(first, "month") if last else first, zone)
        if len(text) == 10:
            day = date.fromisoformat(text)
            return midnight(day + timedelta(days=1) if last else day, zone)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise QueryError(
            f"{text!r} is not a time",
            "give 2026-11-24, 2026-11, 2026-11-24T10:00:00Z, or 36h, 7d, 4w for the start",
        ) from None
    at = (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)
    return ceil_to(at, 60) if last else at.replace(second=0, microsecond=0)


def _length(ago: re.Match[str]) -> timedelta:
    return int(ago[1]) * _LENGTHS[ago[2]]


def previous_range(
    span: TimeRange, zone: ZoneInfo, now: datetime, part_of: PeriodName | None = None
) -> TimeRange:
    """Return what a range is compared with, on every surface: the range of the same kind before it.

    Of whole months (from any day on: a budget's may begin on the 15th), quarters or years as many months before; of a
    day or a week the one before; of the first part of a day or month the same part of the one before; of other days as
    many days before; of anything else as long a range before. Of a range that is not over at `now`, the part that is as
    long as what is past. `part_of`: the period of which it is the first part, where its length does not say.
    """
    return past_part(_before(span, zone, part_of), span, now)


def past_part(before: TimeRange, span: TimeRange, now: datetime) -> TimeRange:
    """Return the part of `before` that is as long as what is past of `span` at the end of the minute of `now`."""
    until = floor_to(now, "minute") + _MINUTE
    if not span.start < until < span.end:
        return before
    return TimeRange(before.start, min(before.end, before.start + (until - span.start)))


def _days_before(span: TimeRange, zone: ZoneInfo) -> TimeRange:
    """Return as many local days before whole days; before anything else, as long a range."""
    first, after = _days(span, zone)
    if not _whole_days(span, zone):
        return span.before
    return TimeRange(midnight(first - (after - first), zone), span.start)


def whole_months(span: TimeRange, zone: ZoneInfo) -> int:
    """Return how many months a range is, from a day of a month to the same day of another; 0: it is not whole ones."""
    first, after = _days(span, zone)
    if not _whole_days(span, zone) or not first.day == after.day <= _SHORTEST_MONTH:
        return 0
    return (after.year - first.year) * 12 + after.month - first.month


def _before(span: TimeRange, zone: ZoneInfo, part_of: PeriodName | None) -> TimeRange:
    """Return what a range is compared with once it is over."""
    first, after = _days(span, zone)
    if months := whole_months(span, zone):
        return TimeRange(midnight(next_first(first, "month", -months), zone), span.start)
    days = (after - first).days if _whole_days(span, zone) else 0
    if days == 1 or (days == 7 and first_day(first, "week") == first):
        return _days_before(span, zone)
    for unit in _PARTS:
        period = period_of(span.start, unit, zone)
        if part_of in (None, unit) and span.start == period.start and span.end < period.end:
            start = period_of(span.start - _MINUTE, unit, zone).start
            return TimeRange(start, min(start + span.length, span.start))
    return _days_before(span, zone)


def _days(span: TimeRange, zone: ZoneInfo) -> tuple[date, date]:
    return span.start.astimezone(zone).date(), span.end.astimezone(zone).date()


def _whole_days(span: TimeRange, zone: ZoneInfo) -> bool:
    first, after = _days(span, zone)
    return (midnight(first, zone), midnight(after, zone)) == (span.start, span.end)
