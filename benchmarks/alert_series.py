"""Hourly series with labelled anomalies, made from a seed: eight weeks of spend as teams really cause it.

`TUNED` are the families that the detector's constants were chosen on, with seeds below 1000. `JUDGED` are
other families, which it never saw, with seeds from 1000.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Kind = Literal["spike", "drift", "shift", "outage"]
KINDS: tuple[Kind, ...] = ("spike", "drift", "shift", "outage")
START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""
WEEKS = 8
QUIET = 14 * 24
"""Hours before the first anomaly: every method may learn from them."""


@dataclass(frozen=True)
class Label:
    """An anomaly from hour `begin` up to but without `end`."""

    kind: Kind
    begin: int
    end: int


@dataclass(frozen=True)
class Series:
    """Values an hour apart, and what was done to them."""

    family: str
    values: list[float]
    labels: list[Label]

    def at(self, hour: int) -> datetime:
        return START + timedelta(hours=hour)


def _noise(r: random.Random, hours: int, sigma: float, memory: float) -> list[float]:
    """Log-normal noise that remembers a share of the hour before."""
    out, state = [], 0.0
    for _ in range(hours):
        state = memory * state + r.gauss(0, sigma) * math.sqrt(1 - memory * memory)
        out.append(math.exp(state))
    return out


def _office(r: random.Random, hours: int) -> list[float]:
    peak, width, weekend = r.uniform(11, 15), r.uniform(2.5, 5), r.uniform(0.1, 0.6)
    size, floor = 10 ** r.uniform(0, 3), r.uniform(0.02, 0.3)
    noise = _noise(r, hours, r.uniform(0.08, 0.25), r.uniform(0, 0.6))
    return [
        size
        * (floor + math.exp(-(((h % 24) - peak) ** 2) / (2 * width**2)) * (weekend if h // 24 % 7 > 4 else 1))
        * noise[h]
        for h in range(hours)
    ]


def _global(r: random.Random, hours: int) -> list[float]:
    size, swing = 10 ** r.uniform(0, 3), r.uniform(0, 0.3)
    noise = _noise(r, hours, r.uniform(0.04, 0.15), r.uniform(0, 0.8))
    return [size * (1 + swing * math.sin(2 * math.pi * h / 24)) * noise[h] for h in range(hours)]


def _growing(r: random.Random, hours: int) -> list[float]:
    growth = r.uniform(0.01, 0.06)
    return [v * (1 + growth) ** (h / 168) for h, v in enumerate(_office(r, hours))]


def _nightly(r: random.Random, hours: int) -> list[float]:
    begin, length, size, base = r.randrange(0, 6), r.randrange(1, 5), r.uniform(50, 500), r.uniform(0, 10)
    noise = _noise(r, hours, r.uniform(0.05, 0.2), 0)
    return [(size if begin <= h % 24 < begin + length else base) * noise[h] for h in range(hours)]


def _bursty(r: random.Random, hours: int) -> list[float]:
    size, shape = 10 ** r.uniform(0.5, 2.5), r.uniform(2, 8)
    day = [1 + 0.5 * math.sin(2 * math.pi * (h - 8) / 24) for h in range(24)]
    return [size * day[h % 24] * r.gammavariate(shape, 1 / shape) for h in range(hours)]


def _evening(r: random.Random, hours: int) -> list[float]:
    """A consumer product: two peaks a day, weekends above weekdays, noise that grows with the hour."""
    size, weekend = 10 ** r.uniform(0, 3), r.uniform(1.1, 1.8)
    out = []
    for h in range(hours):
        hour = h % 24
        shape = 0.15 + 0.5 * math.exp(-((hour - 12.5) ** 2) / 6) + math.exp(-((hour - 20.5) ** 2) / 5)
        sigma = 0.06 + 0.12 * (hour > 17)
        out.append(size * shape * (weekend if h // 24 % 7 > 4 else 1) * math.exp(r.gauss(0, sigma)))
    return out


def _agents(r: random.Random, hours: int) -> list[float]:
    """Coding agents: weekdays only, steps by the head count, heavy-tailed noise (Student's t of 4)."""
    size, begin, end = r.uniform(5, 400), r.randrange(6, 10), r.randrange(16, 21)
    out = []
    for h in range(hours):
        works = begin <= h % 24 < end and h // 24 % 7 < 5
        t = r.gauss(0, 1) / math.sqrt(r.gammavariate(2, 0.5))
        out.append(max(0.0, size * ((1.0 if works else 0.04) * (1 + 0.12 * t))))
    return out


def _counts(r: random.Random, hours: int) -> list[float]:
    """Few expensive calls: Poisson counts of a price each."""
    price, peak = r.uniform(0.5, 5), r.uniform(8, 40)
    out = []
    for h in range(hours):
        mean = peak * (0.25 + 0.75 * max(0.0, math.sin(math.pi * ((h % 24) - 6) / 14)))
        limit, n, p = math.exp(-mean), 0, r.random()
        while p > limit:
            p *= r.random()
            n += 1
        out.append(price * n)
    return out


def _additive(r: random.Random, hours: int) -> list[float]:
    """A big steady fleet with a small additive day and week on top, and a slow wave over weeks."""
    size = r.uniform(100, 5000)
    noise = _noise(r, hours, r.uniform(0.01, 0.04), r.uniform(0.3, 0.9))
    return [
        size
        * (1 + 0.1 * math.sin(2 * math.pi * h / 24) + 0.05 * (h // 24 % 7 < 5) + 0.08 * math.sin(h / 160))
        * noise[h]
        for h in range(hours)
    ]


def _regions(r: random.Random, hours: int) -> list[float]:
    """Two continents, each with its own day, of different sizes."""
    noise, sizes = (
        _noise(r, hours, r.uniform(0.05, 0.18), r.uniform(0, 0.7)),
        (r.uniform(20, 200), r.uniform(5, 150)),
    )
    peaks = (r.uniform(12, 16), r.uniform(0, 5))

    def part(h: int, n: int) -> float:
        away = min(abs(h % 24 - peaks[n]), 24 - abs(h % 24 - peaks[n]))
        weekend = 0.4 if h // 24 % 7 > 4 else 1.0
        return sizes[n] * (0.1 + weekend * math.exp(-(away**2) / 18))

    return [(part(h, 0) + part(h, 1)) * noise[h] for h in range(hours)]


def _trainings(r: random.Random, hours: int) -> list[float]:
    """A small steady base, and one long training at the same hour of the same day of each week."""
    base, size, begin, length = r.uniform(2, 20), r.uniform(60, 600), r.randrange(24, 100), r.randrange(6, 30)
    noise = _noise(r, hours, r.uniform(0.05, 0.15), 0.2)
    return [(size if begin <= h % 168 < begin + length else base) * noise[h] for h in range(hours)]


def _lunch(r: random.Random, hours: int) -> list[float]:
    """Support chats: two humps around lunch, gamma noise, Saturdays half open."""
    size, shape = r.uniform(3, 300), r.uniform(12, 60)
    days = [1, 1.05, 1, 0.95, 0.9, 0.5, 0.15]

    def mean(h: int) -> float:
        hour = h % 24
        humps = math.exp(-((hour - 10.5) ** 2) / 4) + math.exp(-((hour - 15.5) ** 2) / 5)
        return size * (0.08 + humps * days[h // 24 % 7])

    return [mean(h) * r.gammavariate(shape, 1 / shape) for h in range(hours)]


def _lumpy(r: random.Random, hours: int) -> list[float]:
    """Overdispersed counts of calls of a price each (negative binomial), with a weekly shape."""
    price, mean, lump = r.uniform(0.05, 2), r.uniform(40, 400), r.uniform(15, 60)
    out = []
    for h in range(hours):
        now = mean * (0.5 + 0.5 * math.sin(math.pi * (h % 24) / 24)) * (0.7 if h // 24 % 7 > 4 else 1)
        rate = r.gammavariate(lump, now / lump)
        out.append(price * max(0, round(r.gauss(rate, math.sqrt(rate)))))
    return out


Family = Callable[[random.Random, int], list[float]]
TUNED: dict[str, Family] = {
    "office": _office,
    "global": _global,
    "growing": _growing,
    "nightly": _nightly,
    "bursty": _bursty,
    "evening": _evening,
    "agents": _agents,
    "counts": _counts,
    "additive": _additive,
}
JUDGED: dict[str, Family] = {"regions": _regions, "trainings": _trainings, "lunch": _lunch, "lumpy": _lumpy}


def make(name: str, family: Family, seed: int) -> Series:
    """Make one series with anomalies of every kind, three to five days apart."""
    r = random.Random(f"{name}/{seed}")
    hours = WEEKS * 168
    values, labels = family(r, hours), []
    typical = sorted(values)[len(values) * 3 // 4]
    hour = QUIET + r.randrange(24, 72)
    while hour < hours - 120:
        kind = r.choice(KINDS)
        label = _INJECT[kind](r, values, hour, typical)
        labels.append(label)
        hour = label.end + r.randrange(96, 168) + (48 if kind in ("shift", "drift") else 0)
    return Series(name, values, labels)


def _busy(values: list[float], hour: int, typical: float) -> int:
    """Move to the next hour in which there is something to be seen."""
    while hour < len(values) - 72 and values[hour] < typical * 0.6:
        hour += 1
    return hour


def _spike(r: random.Random, values: list[float], hour: int, typical: float) -> Label:
    length, factor = r.randrange(1, 4), r.uniform(2, 6)
    for h in range(hour, hour + length):
        values[h] += typical * (factor - 1)
    return Label("spike", hour, hour + length)


def _drift(r: random.Random, values: list[float], hour: int, typical: float) -> Label:
    length, factor = r.randrange(36, 73), r.uniform(1.8, 3.5)
    for n in range(length):
        values[hour + n] *= 1 + (factor - 1) * n / length
    return Label("drift", hour, hour + length)


def _shift(r: random.Random, values: list[float], hour: int, typical: float) -> Label:
    """A new level for good; the label is its first day."""
    hour = _busy(values, hour, typical)
    factor = r.choice([r.uniform(1.7, 3), 1 / r.uniform(2, 3)])
    for h in range(hour, len(values)):
        values[h] *= factor
    return Label("shift", hour, hour + 24)


def _outage(r: random.Random, values: list[float], hour: int, typical: float) -> Label:
    hour = _busy(values, hour, typical)
    length, left = r.randrange(3, 13), r.choice([0.0, 0.0, r.uniform(0, 0.15)])
    for h in range(hour, hour + length):
        values[h] *= left
    return Label("outage", hour, hour + length)


_INJECT: dict[Kind, Callable[[random.Random, list[float], int, float], Label]] = {
    "spike": _spike,
    "drift": _drift,
    "shift": _shift,
    "outage": _outage,
}
