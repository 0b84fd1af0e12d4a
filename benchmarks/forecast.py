"""Forecasts series with Outlay, with seasonal naive and with ETS (AutoETS of statsforecast), side by side in one run.

    .venv/bin/uv run --frozen --all-packages --group bench python benchmarks/forecast.py [--series 10] [--json]
    .venv/bin/python benchmarks/forecast.py --series 40 --only "generated,unseen,cold start,outlay"

Generated series are four weeks of hours (tests/unit/forecast/generated.py), 72 hours ahead, of kinds that the models
were tuned on and of kinds that nothing was tuned on (unseen); one and two weeks of hours; two days (cold start), 24
hours ahead; and months. Public ones come with packages: hourly temperatures of Seattle and San Francisco and monthly
employment (vega_datasets), passengers of airlines (statsforecast), sea temperatures and CO2 (statsmodels).
Every forecast sees only what is before it.

- MASE: mean absolute error over that of the seasonal naive forecast one step ahead in the history (Hyndman and
  Koehler 2006); less than 1 is better than it.
- 80 and 95: how many of the actual values are inside the intervals, in percent; 80 and 95 would be right.
- series/s: on one core, in CPU time.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import numpy as np

from outlay_reports.forecast import bands, forecast
from outlay_reports.forecast.smoothing import Array

LEVELS = (80, 95)
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


def generated(count: int) -> Iterator[Case]:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.unit.forecast.generated import KINDS, hours

    for kind in KINDS:
        yield Case(kind, hours(kind, count, 672 + 72, seed=11), (24, 168), 72)


def short(count: int) -> Iterator[Case]:
    """One and two weeks of hours: of each kind a few, without moving levels, which cannot be foreseen."""
    from tests.unit.forecast.generated import KINDS, hours

    for length, steps in ((336, 72), (336, 168), (168, 48)):
        some = [hours(kind, max(count // 2, 1), length + steps, seed=11) for kind in KINDS if kind != "moved"]
        yield Case(f"{length} hours, {steps} ahead", np.concatenate(some), (24, 168), steps)


def unseen(count: int) -> Iterator[Case]:
    from tests.unit.forecast.generated import UNSEEN
    from tests.unit.forecast.generated import unseen as made

    for kind in UNSEEN:
        yield Case(kind, made(kind, count, 672 + 72), (24, 168), 72)


def cold(count: int) -> Iterator[Case]:
    from tests.unit.forecast.generated import KINDS, hours

    for kind in KINDS:
        yield Case(f"{kind}, two days", hours(kind, count, 48 + 24, seed=17), (24, 168), 24)


def monthly(count: int) -> Iterator[Case]:
    from tests.unit.forecast.generated import MONTHLY, months

    for kind in MONTHLY:
        yield Case(kind, months(kind, count, 72, seed=11), (12,), 12)
    some = np.concatenate([months(kind, count, 48, seed=11) for kind in MONTHLY])
    yield Case("36 months", some, (12,), 12)


def public(count: int) -> Iterator[Case]:
    import statsmodels.api as sm
    from vega_datasets import local_data

    for city in ("seattle_temps", "sf_temps"):
        temperatures = getattr(local_data, city)()["temp"].to_numpy(dtype=float)
        starts = np.linspace(0, len(temperatures) - 744, count).astype(int)
        yield Case(city, np.stack([temperatures[n : n + 744] for n in starts]), (24, 168), 72)
    from statsforecast.utils import AirPassengers

    flights = np.asarray(AirPassengers, dtype=float)
    yield Case("air passengers", np.stack([flights[n : n + 96] for n in range(0, 49, 6)]), (12,), 12)
    jobs = local_data.us_employment().drop(columns=["month", "nonfarm_change"])
    yield Case("us_employment", jobs.to_numpy(dtype=float).T, (12,), 12)
    sea = sm.datasets.elnino.load_pandas().data.to_numpy(dtype=float)[:, 1:].ravel()
    yield Case("elnino", np.stack([sea[n * 60 : n * 60 + 132] for n in range(10)]), (12,), 12)
    air = sm.datasets.co2.load_pandas().data["co2"].interpolate().to_numpy(dtype=float)
    yield Case("co2", np.stack([air[n * 200 : n * 200 + 284] for n in range(10)]), (52,), 26)


def outlay(case: Case) -> Made:
    found = bands(forecast(case.past, case.periods, case.steps), case.past)
    return found.mean, found.lower, found.upper


def with_library(make: Callable[[Case], object]) -> Callable[[Case], Made]:
    def run(case: Case) -> Made:
        model = make(case)
        results = [model.forecast(y=past, h=case.steps, level=list(LEVELS)) for past in case.past]  # type: ignore[attr-defined]
        bounds = [
            {level: np.stack([r[f"{side}-{level}"] for r in results], axis=1) for level in LEVELS}
            for side in ("lo", "hi")
        ]
        return np.stack([r["mean"] for r in results], axis=1), bounds[0], bounds[1]

    return run


def seasonal_naive(case: Case) -> object:
    from statsforecast.models import SeasonalNaive

    return SeasonalNaive(season_length=max(case.periods))


def ets(case: Case) -> object:
    from statsforecast.models import AutoETS

    # Seasons longer than 24 are beyond ETS; the library leaves them out by itself.
    return AutoETS(season_length=min(case.periods))


MODELS: dict[str, Callable[[Case], Made]] = {
    "outlay": outlay,
    "seasonal naive": with_library(seasonal_naive),
    "ets": with_library(ets),
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--series", type=int, default=10, help="series of each kind")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--only", default="", help="groups and models, with commas between them; default: all"
    )
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    groups = {
        "generated": generated,
        "unseen": unseen,
        "cold start": cold,
        "short": short,
        "monthly": monthly,
        "public": public,
    }
    only = set(chosen.only.split(",")) - {""}
    groups = {name: cases for name, cases in groups.items() if not only & groups.keys() or name in only}
    models = {name: model for name, model in MODELS.items() if not only & MODELS.keys() or name in only}
    for group, cases in groups.items():
        for case in cases(chosen.series):
            for name, model in models.items():
                row = {"group": group, "series": case.name, "model": name, **measure(case, model)}
                rows.append(row)
                if not chosen.json:
                    print(_line(row), flush=True)
    for group in groups:
        for name in models:
            some = [row for row in rows if row["group"] == group and row["model"] == name]
            mean = {key: float(np.mean([row[key] for row in some])) for key in list(some[0])[3:]}
            rows.append({"group": group, "series": "mean of all", "model": name, **mean})
            if not chosen.json:
                print(_line(rows[-1]))
    if chosen.json:
        print(json.dumps(rows))


def _line(row: dict[str, object]) -> str:
    text = f"{row['group']:<9} {row['series']:<20} {row['model']:<15} MASE {row['mase']:6.3f}"
    return (
        f"{text}   80: {row['coverage80']:5.1f}   95: {row['coverage95']:5.1f}"
        f"   {row['series_per_second']:9.1f} series/s"
    )


if __name__ == "__main__":
    main()
