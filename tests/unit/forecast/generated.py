"""Series as companies have them: working days, weekends, growth, noise, incidents. The same each time."""

import numpy as np
from numpy.random import Generator

from outlay_reports.forecast.smoothing import Array

MONTHLY = ("growing months", "seasonal months", "both months", "wandering months", "flat months")
KINDS = ("busy", "noisy", "growing", "persistent", "moved", "incident", "flat", "sparse")


def hours(kind: str, count: int, length: int, seed: int = 1) -> Array:
    """Return `count` hourly series of `length` values."""
    draw = np.random.default_rng(seed)
    return np.array([_series(kind, length, draw) for _ in range(count)])


def _series(kind: str, length: int, draw: Generator) -> Array:  # noqa: PLR0911 (one for each kind)
    t = np.arange(length)
    size = draw.uniform(5, 50)
    day = np.roll(np.exp(-(((np.arange(24) - 14) / draw.uniform(3, 6)) ** 2)), draw.integers(24))
    week = np.where(np.arange(168) // 24 >= 5, draw.uniform(0.2, 0.9), 1.0)
    shape = size * (0.3 + day[t % 24]) * week[t % 168]
    noise = np.exp(draw.normal(0, 0.12, length))
    if kind == "noisy":
        return np.maximum(shape + size * draw.normal(0, 0.15, length), 0)
    if kind == "growing":
        return shape * noise * (1 + draw.uniform(-0.5, 1.5) * t / length)
    if kind == "persistent":
        error = np.zeros(length)
        for n in range(1, length):
            error[n] = 0.8 * error[n - 1] + draw.normal(0, 0.12)
        return shape * np.exp(error)
    if kind == "moved":
        return shape * noise * np.where(t > length * draw.uniform(0.3, 0.8), draw.uniform(0.5, 2), 1.0)
    if kind == "incident":
        spikes = np.ones(length)
        spikes[draw.integers(length, size=6)] = 10
        return shape * noise * spikes
    if kind == "flat":
        return size * np.exp(draw.normal(0, 0.2, length))
    if kind == "sparse":
        return np.where(draw.random(length) < shape / size * 0.1, draw.gamma(2, size, length), 0.0)
    return shape * noise


def months(kind: str, count: int, length: int, seed: int = 1) -> Array:
    """Return `count` monthly series of `length` values: growth of up to 6 % a month, years, wandering levels."""
    draw = np.random.default_rng(seed)
    return np.array([_monthly(kind, length, draw) for _ in range(count)])


def _monthly(kind: str, length: int, draw: Generator) -> Array:
    t = np.arange(length)
    size = draw.uniform(5, 50)
    year = 1 + draw.uniform(0, 0.5) * np.sin(2 * np.pi * (t + draw.integers(12)) / 12)
    noise: Array = np.exp(draw.normal(0, 0.06, length))
    if kind == "growing months":
        return size * (1 + draw.uniform(0, 0.06)) ** t * noise
    if kind == "seasonal months":
        return size * year * noise
    if kind == "both months":
        return size * year * (1 + draw.uniform(0, 0.03)) ** t * noise
    if kind == "wandering months":
        noise = np.exp(np.cumsum(draw.normal(0.01, 0.06, length)))
    return size * noise
