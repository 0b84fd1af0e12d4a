"""Series from files: timestamp,value lines in, evenly spaced values out; and which seasons their spacing may have."""

import csv
import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from outlay_reports.errors import QueryError
from outlay_reports.forecast.smoothing import Array

_MANY = 50_000
"""Values of one series at most: a year of ten minutes."""
_MOST = 1e100


@dataclass(frozen=True)
class Frequency:
    """How far values are apart: a length of time, or a number of months."""

    length: timedelta | None = None
    months: int = 0

    def after(self, at: datetime, count: int) -> datetime:
        """Return the time `count` values later. The day of a month is kept where the month has it."""
        if self.length is not None:
            return at + self.length * count
        year, month = divmod(at.year * 12 + at.month - 1 + self.months * count, 12)
        last = monthrange(year, month + 1)[1]
        # A series of month ends stays one.
        ends = (at + timedelta(days=1)).day == 1
        return at.replace(year=year, month=month + 1, day=last if ends else min(at.day, last))

    @property
    def periods(self) -> tuple[int, ...]:
        """The seasons that such values may have, in values: the day and the week, the year."""
        if self.length is None:
            return (12 // self.months,) if self.months < 12 else ()
        day, week, year = timedelta(days=1), timedelta(weeks=1), timedelta(days=364)
        spans = [day, week] if self.length < day else [week, year] if self.length < week else [year]
        return tuple(int(span / self.length) for span in spans if span % self.length == timedelta(0))


_NAMES = {
    "s sec": Frequency(timedelta(seconds=1)), "t min minute": Frequency(timedelta(minutes=1)),
    "h hour": Frequency(timedelta(hours=1)), "d day": Frequency(timedelta(days=1)),
    "w week": Frequency(timedelta(weeks=1)), "m ms me month": Frequency(months=1),
    "q qs qe quarter": Frequency(months=3), "y ys ye year": Frequency(months=12),
}  # fmt: skip
_FREQUENCIES = {name: frequency for names, frequency in _NAMES.items() for name in names.split()}


def frequency_of(text: str) -> Frequency:
    """Read h, 15min, D, W, MS as a frequency. Raises QueryError."""
    match = re.fullmatch(r"(\d*)\s*([A-Za-z]+)(-[A-Za-z]+)?", text.strip())
    count, name = (int(match[1] or 1), match[2].lower()) if match else (0, "")
    one = _FREQUENCIES.get(name) or _FREQUENCIES.get(name.removesuffix("s"))
    if one is None or not count:
        raise QueryError(f"{text!r} is not a frequency", "give one such as h, 15min, D, W or MS (month)")
    return Frequency(one.length and one.length * count, one.months * count)


def guess_frequency(times: Sequence[datetime]) -> Frequency:
    """Return the frequency that most neighbouring times are apart. Raises QueryError for less than two."""
    if len(times) < 2:
        raise QueryError("one value says nothing of how far values are apart", "give --freq, such as h or D")
    steps = sorted(later - earlier for earlier, later in pairwise(times))
    usual = steps[len(steps) // 2]
    if abs(usual - timedelta(days=1)) <= timedelta(hours=1):
        return Frequency(timedelta(days=1))
    for months, least, most in ((1, 28, 31), (3, 89, 92), (12, 365, 366)):
        if timedelta(days=least) <= usual <= timedelta(days=most):
            return Frequency(months=months)
    return Frequency(usual)


@dataclass(frozen=True)
class Series:
    """Evenly spaced values. `missing`: how many had to be filled in; `style`: how its times are written."""

    name: str
    times: tuple[datetime, ...]
    values: Array
    frequency: Frequency
    missing: int
    style: str = "T"
    """How the file writes times: `T`, a space for `2026-11-24 01:00:00`, `Z` for UTC as a Z, `date` for days alone."""

    def future(self, steps: int) -> list[str]:
        """Return the times of the next values, written as the file writes them."""
        return [self._write(self.frequency.after(self.times[-1], n)) for n in range(1, steps + 1)]

    def _write(self, at: datetime) -> str:
        if self.style == "date" and not (at.hour or at.minute or at.second):
            return at.date().isoformat()
        text = at.isoformat(sep=" " if self.style == " " else "T")
        return text.replace("+00:00", "Z") if self.style == "Z" else text


def read_csv(lines: Iterable[str], frequency: Frequency | None) -> list[Series]:
    """Read series from CSV: timestamp, value and optional series (or ds, y, unique_id). Raises QueryError."""
    reader = csv.reader(lines)
    head = [name.strip().lower().lstrip("\ufeff") for name in next(reader, [])]
    at, value = _column(head, ("timestamp", "ds", "time", "date")), _column(head, ("value", "y", "cost"))
    name = _column(head, ("series", "unique_id"), needed=False)
    found: dict[str, list[tuple[datetime, float]]] = {}
    style = "T"
    times: dict[str, datetime] = {}  # the same ones come again in every series
    for number, row in enumerate(reader, 2):
        if len(row) != len(head):
            if not any(row):
                continue
            raise QueryError(
                f"line {number} has {len(row)} cells, the first line has {len(head)}", "fix the file"
            )
        text = row[at]
        time = times.get(text)
        if time is None:
            time = times[text] = _time(text, number)
            style = _style(text.strip())
        found.setdefault(row[name] if name >= 0 else "", []).append((time, _number(row[value], number)))
    if not found:
        raise QueryError("the file has no values", "give lines of timestamp,value")
    return [_spaced(name, points, frequency, style) for name, points in found.items()]


def _column(head: Sequence[str], names: Sequence[str], *, needed: bool = True) -> int:
    place = next((head.index(name) for name in names if name in head), -1)
    if needed and place < 0:
        raise QueryError(
            f"the file has no column {names[0]}",
            f"its first line must name timestamp and value, not {', '.join(head)}",
        )
    return place


def _time(text: str, number: int) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        hint = "write it as 2026-11-24T01:00:00Z or 2026-11-24"
        raise QueryError(f"line {number}: {text!r} is not a time", hint) from None


def _style(text: str) -> str:
    if len(text) == 10:
        return "date"
    return "Z" if text.endswith("Z") else " " if " " in text else "T"


def _number(text: str, number: int) -> float:
    try:
        value = float(text) if text.strip() else float("nan")
    except ValueError:
        hint = "write it as 12.5, or leave it empty"
        raise QueryError(f"line {number}: {text!r} is not a number", hint) from None
    if np.isinf(value):
        raise QueryError(f"line {number}: {text!r} is not finite", "leave it empty if it is not known")
    if abs(value) > _MOST:  # squares of errors must stay finite
        raise QueryError(f"line {number}: {text!r} is too large", f"give values of less than {_MOST:.0e}")
    return value


def _spaced(
    name: str, points: list[tuple[datetime, float]], frequency: Frequency | None, style: str
) -> Series:
    """Put points on even times. What is missing becomes what was there a season before, or between its neighbours."""
    named = f" of series {name}" if name else ""
    try:
        points.sort(key=lambda point: point[0])
    except TypeError:
        raise QueryError(f"some times{named} have an offset and some have none", "write all alike") from None
    times = [at for at, _ in points]
    if len(set(times)) < len(times):
        twice = next(a for a, b in pairwise(times) if a == b)
        raise QueryError(f"{twice.isoformat()} is there twice{named}", "give one value for each time")
    step = frequency or guess_frequency(times)
    if step.length is None or step.length >= timedelta(days=1):
        # Days and months of a place are even on its wall clock, whatever its offset is in summer.
        points = [(at.replace(tzinfo=times[0].tzinfo), value) for at, value in points]
        times = [at for at, _ in points]
    known = dict(points)
    even = [times[0]]
    while even[-1] < times[-1]:
        even.append(step.after(times[0], len(even)))
        if len(even) > _MANY:
            hint = "give a longer --freq or a shorter file"
            raise QueryError(f"that are more than {_MANY:,} values{named}", hint)
    places = set(even)
    if (off := next((at for at in times if at not in places), None)) is not None:
        raise QueryError(
            f"{off.isoformat()} does not fit the frequency{named}", "give the --freq that the file has"
        )
    values = np.array([known.get(at, float("nan")) for at in even])
    missing = int(np.isnan(values).sum())
    if missing == len(values):
        raise QueryError(f"the input has no values{named}", "give at least one")
    return Series(name, tuple(even), filled(values, step.periods), step, missing, style)


def filled(values: Array, periods: Sequence[int]) -> Array:
    """Fill what is missing by the value a season before or after it, else in a line between its neighbours."""
    found = values
    for period in [p for p in reversed(periods) if p < len(values)]:
        blank = np.full(period, np.nan)
        found = np.where(np.isnan(found), np.concatenate([blank, found[:-period]]), found)
        found = np.where(np.isnan(found), np.concatenate([found[period:], blank]), found)
    place, known = np.arange(len(found)), ~np.isnan(found)
    return np.interp(place, place[known], found[known])
