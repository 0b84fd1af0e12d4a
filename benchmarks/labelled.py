"""The anomaly rule on labelled public series: `python benchmarks/labelled.py --folder DIR [--only outlay] [--skip N]`.

The folder is laid out as the Numenta Anomaly Benchmark (NAB): CSVs of timestamp,value, and `windows.json` with the
windows in which each is anomalous. Scored by its standard profile: the first alert in a window counts by how early it
is, a window without one costs 1, each alert outside costs up to 0.11; alerts in the first 15% of a series (at most 750
rows) do not count. 100 is perfect, 0 is silence. Ours runs as `outlay alerts backtest --series` does, and what counts
is where an alert begins. Of the others an alert begins where they fire after six rows of quiet. `--skip` leaves out
the first rows of each series, for how much of a score is chance.
"""

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from math import exp
from pathlib import Path
from time import process_time

import alerts
from harness import options, show

from outlay.cli.backtest import series_rule
from outlay_alerter.backtest.runner import on_series
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog import Catalog

FALSE = 0.11
Span = tuple[int, int]
"""The first and the last row of a window."""


def load(folder: Path) -> dict[str, tuple[list[datetime], list[float], list[Span]]]:
    found = {}
    for name, windows in json.loads((folder / "windows.json").read_text()).items():
        with (folder / name).open(newline="") as lines:
            rows = {_at(row["timestamp"]): float(row["value"]) for row in csv.DictReader(lines)}
        times = sorted(rows)
        spans = [[n for n, at in enumerate(times) if _at(begin) <= at <= _at(end)] for begin, end in windows]
        found[name] = times, [rows[at] for at in times], [(span[0], span[-1]) for span in spans if span]
    return found


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ours(times: Sequence[datetime], values: Sequence[float]) -> list[bool]:
    rule = series_rule("anomaly", Catalog(revision=1, created_at=SystemClock().now()))
    return [point.fired for point in on_series(rule, zip(times, values, strict=True))]


def begins(fires: Iterable[bool]) -> list[bool]:
    quiet, found = 6, []
    for fired in fires:
        found.append(fired and quiet >= 6)
        quiet = 0 if fired else quiet + 1
    return found


def weight(place: float) -> float:
    """Return what an alert counts: 1 at the begin of a window (-1), 0 at its end (0), -1 long after it."""
    return -1.0 if place > 3 else 2 / (1 + exp(5 * place)) - 1


def score(fired: Sequence[bool], windows: Sequence[Span]) -> tuple[float, int, int]:
    """Return the raw score, how many windows were found, and how many alerts were false."""
    first = int(min(0.15 * len(fired), 750))
    hits = [n for n, one in enumerate(fired) if one and n >= first]
    raw, found, wrong = 0.0, 0, 0
    for begin, end in windows:
        inside = [n for n in hits if begin <= n <= end]
        found += bool(inside)
        raw += weight(-(end - inside[0] + 1) / (end - begin + 1)) / weight(-1) if inside else -1
    for n in hits:
        if not any(begin <= n <= end for begin, end in windows):
            before = [(begin, end) for begin, end in windows if end < n]
            place = (n - before[-1][1]) / (before[-1][1] - before[-1][0]) if before else 4.0
            raw, wrong = raw + FALSE * weight(place), wrong + 1
    return raw, found, wrong


def main() -> None:
    chosen = options(__doc__, folder="", only="", skip=0)
    series = load(Path(chosen.folder))
    methods = {"outlay": ours} | {
        method.__name__: lambda times, values, method=method: begins(method(list(values)))
        for method in alerts.METHODS[1:]
    }
    for name, method in methods.items():
        if chosen.only and name not in chosen.only.split(","):
            continue
        began, totals, count, rows = process_time(), [0.0, 0, 0], 0, 0
        for file, (times, values, windows) in series.items():
            fired = [False] * chosen.skip + method(times[chosen.skip :], values[chosen.skip :])
            one = score(fired, windows)
            show(method=name, series=file, score=one[0], found=one[1], windows=len(windows), false=one[2])
            totals = [total + more for total, more in zip(totals, one, strict=True)]
            count, rows = count + len(windows), rows + len(values)
        show(
            method=name, score=50 * (totals[0] + count) / count, found=totals[1], windows=count, false=totals[2],
            ms_per_point=(process_time() - began) / rows * 1000,
        )  # fmt: skip


if __name__ == "__main__":
    main()
