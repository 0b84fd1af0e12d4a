"""Series as companies have them: working days, weekends, growth, noise, incidents. The same each time."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from outlay_reports.forecast.smoothing import Array

MONTHLY = ("growing months", "seasonal months", "both months", "wandering months", "flat months")
KINDS = ("busy", "noisy", "growing", "persistent", "moved", "incident", "flat", "sparse")


UNSEEN = ("counts", "gamma", "lognormal", "wandering", "office", "walk", "bursts")
"""Kinds of hours that nothing was tuned on: only the benchmark and the test of coverage use them."""


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


def unseen(kind: str, count: int, length: int, seed: int = 5) -> Array:
    """Return `count` hourly series of a kind of UNSEEN, of `length` values."""
    draw = np.random.default_rng(seed)
    return np.array([_unseen(kind, length, draw) for _ in range(count)])


def _unseen(kind: str, length: int, draw: Generator) -> Array:
    t = np.arange(length)
    size = draw.uniform(1, 80)
    day = 1 + draw.uniform(0.2, 0.9) * np.sin(2 * np.pi * (t - draw.integers(24)) / 24)
    usual: Array = size * day * np.where(t % 168 >= 120, draw.uniform(0.3, 1), 1.0)
    steps = draw.normal(0, 1, length)
    shapes: dict[str, Callable[[], NDArray[np.floating[Any]]]] = {
        "counts": lambda: draw.poisson(np.maximum(usual, 0.1)).astype(float),
        "gamma": lambda: usual * draw.gamma(2, 0.5, length),
        "lognormal": lambda: usual * np.exp(0.5 * steps),
        "wandering": lambda: usual * np.exp(_wander(0.08 * steps, 0.95)),
        "office": lambda: (
            size * (((t % 24 - 8) % 24 < 10) & (t % 168 < 120)) * np.exp(0.12 * steps) + size / 20
        ),
        "walk": lambda: size * np.exp(_wander(0.03 * steps, 1.0)),
        "bursts": lambda: usual * np.exp(0.1 * steps) * np.where(draw.random(length) < 0.02, 5.0, 1.0),
    }
    return shapes[kind]().astype(np.float64)


def _wander(steps: Array, keep: float) -> Array:
    found = steps.copy()
    for n in range(1, len(found)):
        found[n] += keep * found[n - 1]
    return found


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
