"""How well anomalies are found: `python benchmarks/alerts.py [--tuned] [--seeds N] [--json]`.

Labelled spikes, drifts, level shifts and outages in eight weeks of hourly spend. A label counts as found
if a method fires within it; firing that touches no label (with a day and a half after it, in which what is
new is learned) is a false alert, and counts once until it was quiet for six hours. Every method but ours
is given the setting that is usual for it. `--tuned` shows the families that ours was tuned on.
"""

import argparse
import json
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from alert_series import JUDGED, KINDS, QUIET, TUNED, WEEKS, Series, make

from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.tuning import Tuning

Method = Callable[[Series], Iterator[bool]]
_GRACE = 36
_QUIET_HOURS = 6


def ours(series: Series) -> Iterator[bool]:
    """The detector of the rule type `anomaly`, as it comes."""
    detector = Detector(Tuning(3600))
    for hour, value in enumerate(series.values):
        yield detector.update(series.at(hour), value).fired


def z_score(series: Series) -> Iterator[bool]:
    """More than 3 standard deviations from the mean of the last week."""
    last: deque[float] = deque(maxlen=168)
    for value in series.values:
        if len(last) < 48:
            yield False
        else:
            yield abs(value - statistics.fmean(last)) > 3 * (statistics.pstdev(last) or 1e-9)
        last.append(value)


def moving_average(series: Series) -> Iterator[bool]:
    """More than 3 standard deviations of the errors from the mean of the last day."""
    last: deque[float] = deque(maxlen=24)
    errors: deque[float] = deque(maxlen=168)
    for value in series.values:
        error = value - statistics.fmean(last) if last else 0.0
        yield len(errors) >= 48 and abs(error) > 3 * (statistics.pstdev(errors) or 1e-9)
        errors.append(error)
        last.append(value)


def river_holt_winters(series: Series) -> Iterator[bool]:
    """river's PredictiveAnomalyDetection over HoltWinters with a day as season; scores of 1 fire."""
    from river import anomaly, time_series

    model = time_series.HoltWinters(alpha=0.2, beta=0.01, gamma=0.2, seasonality=24)
    detector = anomaly.PredictiveAnomalyDetection(model, horizon=1, n_std=4.0, warmup_period=QUIET // 2)
    for hour, value in enumerate(series.values):
        score = detector.score_one(None, value) if hour >= 48 else 0.0  # it cannot before its first seasons
        detector.learn_one(None, value)
        yield score >= 1.0


def river_half_space_trees(series: Series) -> Iterator[bool]:
    """river's HalfSpaceTrees on the value and the hour; the highest half percent of recent scores fire."""
    from river import anomaly, preprocessing

    model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(
        n_trees=25, height=8, window_size=168, seed=1
    )
    scores: deque[float] = deque(maxlen=672)
    for hour, value in enumerate(series.values):
        x = {"value": value, "hour": float(hour % 24), "weekday": float(hour // 24 % 7)}
        score = model.score_one(x)
        model.learn_one(x)
        yield len(scores) >= 168 and score > statistics.quantiles(scores, n=200)[-1]
        scores.append(score)


METHODS: dict[str, Method] = {
    "outlay": ours,
    "z-score": z_score,
    "moving average": moving_average,
    "river HoltWinters": river_holt_winters,
    "river HalfSpaceTrees": river_half_space_trees,
}


@dataclass
class Result:
    """What one method made of many series."""

    labels: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    found: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    hours_to_find: list[int] = field(default_factory=list)
    true_alerts: int = 0
    false_alerts: int = 0
    weeks: float = 0.0
    windows: int = 0
    seconds: float = 0.0

    def add(self, series: Series, fired: list[bool]) -> None:
        """Count one series."""
        for label in series.labels:
            self.labels[label.kind] += 1
            hits = [h for h in range(label.begin, label.end) if fired[h]]
            if hits:
                self.found[label.kind] += 1
                self.hours_to_find.append(hits[0] - label.begin)
        for begin, end in episodes(fired):
            touches = any(begin < label.end + _GRACE and end > label.begin for label in series.labels)
            self.true_alerts += touches
            self.false_alerts += not touches
        self.weeks += WEEKS - QUIET / 168
        self.windows += len(fired)

    def row(self) -> dict[str, object]:
        """Return the figures."""
        total = sum(self.labels.values())
        precision = self.true_alerts / max(1, self.true_alerts + self.false_alerts)
        recall = sum(self.found.values()) / max(1, total)
        return {
            "precision": round(precision, 3),
            "recall": round(recall, 3),
            "f1": round(2 * precision * recall / max(1e-9, precision + recall), 3),
            "hours_to_detect": statistics.median(self.hours_to_find) if self.hours_to_find else None,
            "false_per_scope_week": round(self.false_alerts / max(1e-9, self.weeks), 3),
            **{f"recall_{k}": round(self.found[k] / max(1, self.labels[k]), 3) for k in KINDS},
            "us_per_window": round(self.seconds / max(1, self.windows) * 1e6, 1),
        }


def episodes(fired: list[bool]) -> Iterator[tuple[int, int]]:
    """Return (begin, end) of each stretch of firing after the quiet weeks, short pauses bridged."""
    begin = last = None
    for hour, fires in enumerate(fired):
        if not fires or hour < QUIET:
            continue
        if begin is None or last is None:
            begin = hour
        elif hour - last > _QUIET_HOURS:
            yield begin, last + 1
            begin = hour
        last = hour
    if begin is not None and last is not None:
        yield begin, last + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--only", default="")
    parser.add_argument("--by-family", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    families, first = (TUNED, 0) if args.tuned else (JUDGED, 1000)
    names = [name for name in METHODS if args.only in name]
    results: dict[tuple[str, str], Result] = {}
    for family, maker in families.items():
        for seed in range(first, first + args.seeds):
            series = make(family, maker, seed)
            for name in names:
                began = time.perf_counter()
                fired = list(METHODS[name](series))
                took = time.perf_counter() - began
                key = (name, family if args.by_family else "")
                results.setdefault(key, Result()).add(series, fired)
                results[key].seconds += took
    rows = [
        {"method": name, **({"family": family} if family else {}), **result.row()}
        for (name, family), result in sorted(results.items(), key=lambda item: names.index(item[0][0]))
    ]
    if args.json:
        print(json.dumps(rows))
        return
    print("  ".join(f"{column:>20}"[-20:] for column in rows[0]))
    for row in rows:
        print("  ".join(f"{value!s:>20}"[-20:] for value in row.values()))


if __name__ == "__main__":
    main()
