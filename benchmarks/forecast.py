"""Forecasts series with Outlay, with seasonal naive and with ETS (AutoETS of statsforecast), side by side in one run.

    .venv/bin/uv run --frozen --all-packages --group bench python benchmarks/forecast.py [--series 10]
    .venv/bin/python benchmarks/forecast.py --series 40 --only "generated,unseen,cold start,outlay"

Generated series are four weeks of hours (tests/support/generated_series.py), 72 hours ahead, of kinds that the models
were tuned on and of kinds that nothing was tuned on (unseen); one and two weeks of hours; two days (cold start), 24
hours ahead; and months. Public ones come with packages: hourly temperatures of Seattle and San Francisco and monthly
employment (vega_datasets), passengers of airlines (statsforecast), sea temperatures and CO2 (statsmodels).
Every forecast sees only what is before it. `--only` names groups and models.

Periods are whole days, weeks and months of the same kinds of hours, read at a random minute after 5 to 150 days, and
the next 48 hours and 10 days, cut from the same course. Their error is that of the expected cost, over what usually is
spent in the time that is left.

- MASE: mean absolute error over that of the seasonal naive forecast one step ahead in the history (Hyndman and
  Koehler 2006); less than 1 is better than it.
- 80 and 95: how many of the actual values are inside the intervals, in percent; 80 and 95 would be right.
- series/s: on one core, in CPU time.
"""

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise, product
from time import process_time
from zoneinfo import ZoneInfo

import numpy as np
from harness import options, show
from tests.support.generated_series import KINDS, MONTHLY, UNSEEN, hours, months, unseen
from tests.support.generated_spending import START, courses, spending

from outlay_reports.forecast import bands, forecast
from outlay_reports.forecast.pieces import next_edges, rest_of
from outlay_reports.forecast.smoothing import Array
from outlay_reports.periods import Unit

LEVELS = (80, 95)
UTC_ZONE = ZoneInfo("UTC")
HOURS = (24, 168)
Made = tuple[Array, dict[int, Array], dict[int, Array]]
"""Mean, and lower and upper bounds by level; steps x series."""


@dataclass(frozen=True)
class Case:
    """Series of one kind (series x time), the last `steps` of which are to be forecast."""

    name: str
    values: Array
    periods: tuple[int, ...]
    steps: int

    @property
    def past(self) -> Array:
        return self.values[:, : -self.steps]

    @property
    def actual(self) -> Array:
        return self.values[:, -self.steps :].T


def short(count: int) -> Iterator[Case]:
    """One and two weeks of hours: of each kind a few, without moving levels, which cannot be foreseen."""
    for length, steps in ((336, 72), (336, 168), (168, 48)):
        some = [hours(kind, max(count // 2, 1), length + steps, seed=11) for kind in KINDS if kind != "moved"]
        yield Case(f"{length} hours, {steps} ahead", np.concatenate(some), HOURS, steps)


def monthly(count: int) -> Iterator[Case]:
    for kind in MONTHLY:
        yield Case(kind, months(kind, count, 72, seed=11), (12,), 12)
    some = np.concatenate([months(kind, count, 48, seed=11) for kind in MONTHLY])
    yield Case("36 months", some, (12,), 12)


def public(count: int) -> Iterator[Case]:
    import statsmodels.api as sm
    from statsforecast.utils import AirPassengers
    from vega_datasets import local_data

    for city in ("seattle_temps", "sf_temps"):
        temperatures = getattr(local_data, city)()["temp"].to_numpy(dtype=float)
        starts = np.linspace(0, len(temperatures) - 744, count).astype(int)
        yield Case(city, np.stack([temperatures[n : n + 744] for n in starts]), HOURS, 72)
    flights = np.asarray(AirPassengers, dtype=float)
    yield Case("air passengers", np.stack([flights[n : n + 96] for n in range(0, 49, 6)]), (12,), 12)
    jobs = local_data.us_employment().drop(columns=["month", "nonfarm_change"])
    yield Case("us_employment", jobs.to_numpy(dtype=float).T, (12,), 12)
    sea = sm.datasets.elnino.load_pandas().data.to_numpy(dtype=float)[:, 1:].ravel()
    yield Case("elnino", np.stack([sea[n * 60 : n * 60 + 132] for n in range(10)]), (12,), 12)
    air = sm.datasets.co2.load_pandas().data["co2"].interpolate().to_numpy(dtype=float)
    yield Case("co2", np.stack([air[n * 200 : n * 200 + 284] for n in range(10)]), (52,), 26)


GROUPS: dict[str, Callable[[int], Iterator[Case]]] = {
    "generated": lambda n: (Case(kind, hours(kind, n, 744, seed=11), HOURS, 72) for kind in KINDS),
    "unseen": lambda n: (Case(kind, unseen(kind, n, 744), HOURS, 72) for kind in UNSEEN),
    "cold start": lambda n: (
        Case(f"{kind}, two days", hours(kind, n, 72, seed=17), HOURS, 24) for kind in KINDS
    ),
    "short": short,
    "monthly": monthly,
    "public": public,
}


def outlay(case: Case) -> Made:
    found = bands(forecast(case.past, case.periods, case.steps), case.past)
    return found.mean, found.lower, found.upper


def library(case: Case, name: str, season: int) -> Made:
    from statsforecast import models

    model = getattr(models, name)(season_length=season)
    results = [model.forecast(y=past, h=case.steps, level=list(LEVELS)) for past in case.past]
    mean, *bounds = (
        {level: np.stack([r[side.format(level)] for r in results], axis=1) for level in LEVELS}
        for side in ("mean", "lo-{}", "hi-{}")
    )
    return mean[80], bounds[0], bounds[1]


def periods(count: int) -> None:
    """Show how far landings and single pieces are from what was spent, and how often ranges held it."""
    found: dict[str, list[tuple[float, bool, bool]]] = defaultdict(list)
    for kind, days in product((*KINDS, *UNSEEN), (5, 12, 25, 40, 75, 150)):
        length = 24 * (days + 50)
        for seed, costs in enumerate(
            hours(kind, count, length, 5) if kind in KINDS else unseen(kind, count, length)
        ):
            now = START + timedelta(days=days, minutes=int(np.random.default_rng(seed).integers(10 * 1440)))
            for name, row in _pieces(costs, now):
                found[name].append(row)
    for name, rows in found.items():
        error, held80, held95 = np.mean(rows, axis=0)
        show(
            group="periods", series=name, error=float(error), coverage80=100 * held80, coverage95=100 * held95
        )


def _pieces(costs: Array, now: datetime) -> Iterator[tuple[str, tuple[float, bool, bool]]]:
    spent, usual = spending(costs), 24 * float(np.mean(costs))
    made = courses(spent, UTC_ZONE, now)
    wanted: tuple[tuple[str, Unit, int], ...] = (
        ("day", "day", 1), ("week", "week", 1), ("month", "month", 1), ("48 hours", "hour", 48), ("10 days", "day", 10),
    )  # fmt: skip
    for name, unit, steps in wanted:
        edges = next_edges(UTC_ZONE, unit, steps, now)
        rest = rest_of(*made, edges, now)
        for n, (low, high) in enumerate(pairwise(edges)):
            begin = max(low, now)
            truth, size = spent(begin, high), max(usual * ((high - begin) / timedelta(days=1)), 1e-9)
            held = [bool(rest.lower[at][n, 0] <= truth <= rest.upper[at][n, 0]) for at in LEVELS]
            yield name, (abs(float(rest.mean[n, 0]) - truth) / size, held[0], held[1])


MODELS: dict[str, Callable[[Case], Made]] = {
    "outlay": outlay,
    "seasonal naive": lambda case: library(case, "SeasonalNaive", max(case.periods)),
    # Seasons longer than 24 are beyond ETS; the library leaves them out by itself.
    "ets": lambda case: library(case, "AutoETS", min(case.periods)),
}


def measure(case: Case, model: Callable[[Case], Made]) -> dict[str, float]:
    began = process_time()
    mean, lower, upper = model(case)
    seconds = process_time() - began
    season = min(case.periods)
    scale = np.mean(np.abs(case.past[:, season:] - case.past[:, :-season]), axis=1)
    scale = np.maximum(scale, 1e-9 * np.mean(np.abs(case.past), axis=1) + 1e-12)
    held = {level: np.mean((lower[level] <= case.actual) & (case.actual <= upper[level])) for level in LEVELS}
    return {
        "mase": float(np.mean(np.abs(case.actual - mean) / scale)),
        **{f"coverage{level}": 100 * float(held[level]) for level in LEVELS},
        "series_per_second": len(case.values) / max(seconds, 1e-9),
    }


def main() -> None:
    chosen = options(__doc__, series=10, only="")
    warnings.simplefilter("ignore")
    only = set(chosen.only.split(",")) - {""}
    models = {name: model for name, model in MODELS.items() if not only & MODELS.keys() or name in only}
    if not only & {*GROUPS} or "periods" in only:
        periods(chosen.series)
    for group, cases in GROUPS.items():
        if only & {*GROUPS, "periods"} and group not in only:
            continue
        found: dict[str, list[dict[str, float]]] = {name: [] for name in models}
        for case in cases(chosen.series):
            for name, model in models.items():
                found[name].append(measure(case, model))
                show(group=group, series=case.name, model=name, **found[name][-1])
        for name, rows in found.items():
            means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
            show(group=group, series="mean of all", model=name, **means)


if __name__ == "__main__":
    main()
