"""How well anomalies are found: `python benchmarks/alerts.py [--seeds N] [--first SEED] [--families hard]`.

Labelled spikes, drifts, level shifts and outages in eight weeks of hourly spend, made from seeds. A label counts as
found if a method fires within it; firing that touches no label (with a day and a half after it, in which what is new is
learned) is a false alert, and counts once until it was quiet for six hours. Every method but ours is given the setting
that is usual for it.
"""

import math
import random
import statistics
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter

import hard_series
from hard_series import HOURS, noise_of
from harness import options, show

from outlay_alerter.detection.detector import Detector
from outlay_alerter.detection.tuning import Tuning

START = datetime(2026, 3, 2, tzinfo=UTC)
"""A Monday."""
QUIET = 14 * 24
"""Hours before the first anomaly: every method may learn from them."""
_GRACE = 36
_QUIET_HOURS = 6


@dataclass(frozen=True)
class Label:
    """An anomaly from hour `begin` up to but without `end`."""

    kind: str
    begin: int
    end: int


def _regions(r: random.Random) -> list[float]:
    """Two continents, each with its own day, of different sizes."""
    noise, sizes = (
        noise_of(r, r.uniform(0.05, 0.18), r.uniform(0, 0.7)),
        (r.uniform(20, 200), r.uniform(5, 150)),
    )
    peaks = (r.uniform(12, 16), r.uniform(0, 5))

    def part(h: int, n: int) -> float:
        away = min(abs(h % 24 - peaks[n]), 24 - abs(h % 24 - peaks[n]))
        weekend = 0.4 if h // 24 % 7 > 4 else 1.0
        return sizes[n] * (0.1 + weekend * math.exp(-(away**2) / 18))

    return [(part(h, 0) + part(h, 1)) * noise[h] for h in range(HOURS)]


def _trainings(r: random.Random) -> list[float]:
    """A small steady base, and one long training at the same hour of the same day of each week."""
    base, size, begin, length = r.uniform(2, 20), r.uniform(60, 600), r.randrange(24, 100), r.randrange(6, 30)
    noise = noise_of(r, r.uniform(0.05, 0.15), 0.2)
    return [(size if begin <= h % 168 < begin + length else base) * noise[h] for h in range(HOURS)]


def _lunch(r: random.Random) -> list[float]:
    """Support chats: two humps around lunch, gamma noise, Saturdays half open."""
    size, shape = r.uniform(3, 300), r.uniform(12, 60)
    days = [1, 1.05, 1, 0.95, 0.9, 0.5, 0.15]

    def mean(h: int) -> float:
        hour = h % 24
        humps = math.exp(-((hour - 10.5) ** 2) / 4) + math.exp(-((hour - 15.5) ** 2) / 5)
        return size * (0.08 + humps * days[h // 24 % 7])

    return [mean(h) * r.gammavariate(shape, 1 / shape) for h in range(HOURS)]


def _lumpy(r: random.Random) -> list[float]:
    price, mean, lump = r.uniform(0.05, 2), r.uniform(40, 400), r.uniform(15, 60)
    out = []
    for h in range(HOURS):
        now = mean * (0.5 + 0.5 * math.sin(math.pi * (h % 24) / 24)) * (0.7 if h // 24 % 7 > 4 else 1)
        rate = r.gammavariate(lump, now / lump)
        out.append(price * max(0, round(r.gauss(rate, math.sqrt(rate)))))
    return out


FAMILIES: dict[str, hard_series.Family] = {
    "regions": _regions,
    "trainings": _trainings,
    "lunch": _lunch,
    "lumpy": _lumpy,
}


def make(name: str, seed: int) -> tuple[list[float], list[Label]]:
    """Make one series, an hour a value, with anomalies of every kind, three to five days apart."""
    r = random.Random(f"{name}/{seed}")
    values, labels = (FAMILIES | hard_series.FAMILIES)[name](r), []
    typical = sorted(values)[len(values) * 3 // 4]
    hour = QUIET + r.randrange(24, 72)
    while hour < HOURS - 120:
        label = r.choice(ANOMALIES)(r, values, hour, typical)
        labels.append(label)
        hour = label.end + r.randrange(96, 168) + (48 if label.kind in ("shift", "drift") else 0)
    return values, labels


def _spike(r: random.Random, values: list[float], hour: int, typical: float) -> Label:
    length, factor = r.randrange(1, 4), r.uniform(2, 6)
    for h in range(hour, hour + length):
        values[h] += typical * (factor - 1)
    return Label("spike", hour, hour + length)


def _drift(r: random.Random, values: list[float], hour: int, _: float) -> Label:
    length, factor = r.randrange(36, 73), r.uniform(1.8, 3.5)
    for n in range(length):
        values[hour + n] *= 1 + (factor - 1) * n / length
    return Label("drift", hour, hour + length)


def _shift(r: random.Random, values: list[float], hour: int, typical: float) -> Label:
    hour = _busy(values, hour, typical)
    factor = r.choice([r.uniform(1.7, 3), 1 / r.uniform(2, 3)])
    for h in range(hour, HOURS):
        values[h] *= factor
    return Label("shift", hour, hour + 24)


def _outage(r: random.Random, values: list[float], hour: int, typical: float) -> Label:
    hour = _busy(values, hour, typical)
    length, left = r.randrange(3, 13), r.choice([0.0, 0.0, r.uniform(0, 0.15)])
    for h in range(hour, hour + length):
        values[h] *= left
    return Label("outage", hour, hour + length)


def _busy(values: list[float], hour: int, typical: float) -> int:
    return next((h for h in range(hour, HOURS - 72) if values[h] >= typical * 0.6), max(hour, HOURS - 72))


ANOMALIES = (_spike, _drift, _shift, _outage)


def ours(values: list[float]) -> Iterator[bool]:
    detector = Detector(Tuning(3600))
    for hour, value in enumerate(values):
        yield detector.update(START + timedelta(hours=hour), value).fired


def z_score(values: list[float]) -> Iterator[bool]:
    """More than 3 standard deviations from the mean of the last week."""
    last: deque[float] = deque(maxlen=168)
    for value in values:
        enough = len(last) >= 48
        yield enough and abs(value - statistics.fmean(last)) > 3 * (statistics.pstdev(last) or 1e-9)
        last.append(value)


def moving_average(values: list[float]) -> Iterator[bool]:
    """More than 3 standard deviations of the errors from the mean of the last day."""
    last: deque[float] = deque(maxlen=24)
    errors: deque[float] = deque(maxlen=168)
    for value in values:
        error = value - statistics.fmean(last) if last else 0.0
        yield len(errors) >= 48 and abs(error) > 3 * (statistics.pstdev(errors) or 1e-9)
        errors.append(error)
        last.append(value)


def river_holt_winters(values: list[float]) -> Iterator[bool]:
    """river's PredictiveAnomalyDetection over HoltWinters with a day as season; scores of 1 fire."""
    from river import anomaly, time_series

    model = time_series.HoltWinters(alpha=0.2, beta=0.01, gamma=0.2, seasonality=24)
    detector = anomaly.PredictiveAnomalyDetection(model, horizon=1, n_std=4.0, warmup_period=QUIET // 2)
    for hour, value in enumerate(values):
        score = detector.score_one(None, value) if hour >= 48 else 0.0  # it cannot before its first seasons
        detector.learn_one(None, value)
        yield score >= 1.0


def river_half_space_trees(values: list[float]) -> Iterator[bool]:
    """river's HalfSpaceTrees on the value and the hour; the highest half percent of recent scores fire."""
    from river import anomaly, preprocessing

    trees = anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=168, seed=1)
    model = preprocessing.MinMaxScaler() | trees
    scores: deque[float] = deque(maxlen=672)
    for hour, value in enumerate(values):
        x = {"value": value, "hour": float(hour % 24), "weekday": float(hour // 24 % 7)}
        score = model.score_one(x)
        model.learn_one(x)
        yield len(scores) >= 168 and score > statistics.quantiles(scores, n=200)[-1]
        scores.append(score)


Method = Callable[[list[float]], Iterator[bool]]
METHODS: tuple[Method, ...] = (ours, z_score, moving_average, river_holt_winters, river_half_space_trees)


def judge(method: Method, made: list[tuple[list[float], list[Label]]]) -> dict[str, object]:
    began = perf_counter()
    fired = [list(method(values)) for values, _ in made]
    took = perf_counter() - began
    there, found, waited, right, wrong = Counter[str](), Counter[str](), list[int](), 0, 0
    for (_, labels), fires in zip(made, fired, strict=True):
        for label in labels:
            there[label.kind] += 1
            if any(fires[label.begin : label.end]):
                found[label.kind] += 1
                waited.append(fires[label.begin :].index(True))
        for begin, end in episodes(fires):
            touches = any(begin < label.end + _GRACE and end > label.begin for label in labels)
            right, wrong = right + touches, wrong + (not touches)
    precision, recall = right / max(1, right + wrong), found.total() / there.total()
    return {
        "precision": precision, "recall": recall, "f1": 2 * precision * recall / max(1e-9, precision + recall),
        "hours_to_detect": statistics.median(waited) if waited else None,
        "false_per_scope_week": wrong * 168 / len(made) / (HOURS - QUIET),
        **{f"recall_{kind}": found[kind] / count for kind, count in sorted(there.items())},
        "us_per_window": took / len(made) / HOURS * 1e6,
    }  # fmt: skip


def episodes(fired: list[bool]) -> Iterator[tuple[int, int]]:
    """Return (begin, end) of each stretch of firing after the quiet weeks, short pauses bridged."""
    hours = [hour for hour in range(QUIET, HOURS) if fired[hour]]
    breaks = [n for n in range(1, len(hours)) if hours[n] - hours[n - 1] > _QUIET_HOURS]
    for first, last in zip([0, *breaks], [*breaks, len(hours)], strict=True):
        if first < last:
            yield hours[first], hours[last - 1] + 1


def main() -> None:
    chosen = options(__doc__, seeds=20, first=1000, families="usual", only="")
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    families = hard_series.FAMILIES if chosen.families == "hard" else FAMILIES
    made = [make(name, seed) for name in families for seed in seeds]
    for method in METHODS:
        if not chosen.only or method.__name__ in chosen.only.split(","):
            show(method=method.__name__, **judge(method, made))


if __name__ == "__main__":
    main()
