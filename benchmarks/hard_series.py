"""Hourly series that are hard to judge, for `alerts.py --families hard`: growth, heavy tails and random walks."""

import math
import random
from collections.abc import Callable

HOURS = 8 * 168
Family = Callable[[random.Random], list[float]]


def noise_of(r: random.Random, sigma: float, memory: float) -> list[float]:
    out, state = [], 0.0
    for _ in range(HOURS):
        state = memory * state + r.gauss(0, sigma) * math.sqrt(1 - memory * memory)
        out.append(math.exp(state))
    return out


def _growth(r: random.Random) -> list[float]:
    """From 5 to 15 % more each week."""
    rate, around, size = r.uniform(0.05, 0.15), noise_of(r, r.uniform(0.06, 0.2), 0.4), r.uniform(5, 200)

    def mean(h: int) -> float:
        day, weekend = 0.3 + max(0, math.sin(math.pi * (h % 24) / 24)), 0.6 if h // 24 % 7 > 4 else 1
        return size * math.exp(rate * h / 168) * day * weekend

    return [mean(h) * around[h] for h in range(HOURS)]


def _heavy(r: random.Random) -> list[float]:
    around, size = noise_of(r, r.uniform(0.45, 0.8), r.uniform(0, 0.5)), r.uniform(5, 200)
    return [size * around[h] * (1 + 0.3 * math.sin(2 * math.pi * h / 24)) for h in range(HOURS)]


def _walk(r: random.Random) -> list[float]:
    size, place, out = r.uniform(5, 200), 0.0, []
    for _ in range(HOURS):
        place = 0.995 * place + r.gauss(0, 0.05)
        out.append(size * math.exp(place + r.gauss(0, 0.05)))
    return out


def _pareto(r: random.Random) -> list[float]:
    tail, size = r.uniform(1.8, 3), r.uniform(1, 50)
    return [
        size * sum(r.paretovariate(tail) for _ in range(6)) * (0.5 if h // 24 % 7 > 4 else 1)
        for h in range(HOURS)
    ]


def _few(r: random.Random) -> list[float]:
    mean = r.uniform(2, 15)
    day = [mean * (0.4 + max(0, math.sin(math.pi * h / 24))) for h in range(24)]
    return [float(max(0, round(r.gauss(day[h % 24], math.sqrt(mean))))) for h in range(HOURS)]


def _steps(r: random.Random) -> list[float]:
    """Flat, with another level every few weeks."""
    size, around, level, out = r.uniform(5, 100), noise_of(r, 0.03, 0.1), 1.0, []
    for h in range(HOURS):
        if h % 24 == 0 and r.random() < 0.03:
            level *= r.uniform(0.8, 1.3)
        out.append(size * level * around[h])
    return out


FAMILIES: dict[str, Family] = {
    "growth": _growth, "heavy": _heavy, "walk": _walk, "pareto": _pareto, "quant": _few, "flatstep": _steps,
}  # fmt: skip
