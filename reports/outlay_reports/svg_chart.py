"""SVG charts of cost over time. Floats are coordinates only; the amounts beside them are exact."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from outlay_reports.cost_query import CostQuery
from outlay_reports.money import dollars
from outlay_reports.periods import label
from outlay_reports.renderers import render
from outlay_reports.trend import Trend

COLOURS = ("#3b6fb6", "#e08a2e", "#4c9f70", "#b04a5a", "#7d6bb3", "#9a9a9a")
_PARTS = 5
"""More parts are hard to distinguish; the rest is drawn as one."""
_WIDTH, _LEFT, _RIGHT, _TOP = 960, 84, 16, 48
Parts = list[tuple[str, list[int]]]
"""The name of each part, and its pico-USD at each place."""
Shape = tuple[str, Sequence[str], Sequence[float]]
"""A title, the names of places, and what each usually is as a share of the mean."""


def stack(found: Trend) -> Parts:
    """Return the most expensive parts, and all others as one."""
    if not found.parts:
        return [("all", [round(point.sums.cost) for point in found.all.points])]
    drawn = [(part.name, [round(point.sums.cost) for point in part.points]) for part in found.parts[:_PARTS]]
    if rest := found.parts[_PARTS:]:
        columns = zip(*([round(point.sums.cost) for point in part.points] for part in rest), strict=True)
        drawn.append((f"{len(rest)} others", [sum(column) for column in columns]))
    return drawn


def trend_svg(title: str, question: CostQuery, found: Trend) -> str:
    """Return stacked bars as an SVG page, its scale, labels and legend with it."""
    drawn = stack(found)
    names = (label(point.start, question.unit, question.zone) for point in found.all.points)
    labels = [name[:16].replace("T", " ") for name in names]
    legend = [name for name, _ in drawn] if len(drawn) > 1 else []
    code = question.currency.code
    return _chart(title, drawn, labels, height=360, floor=296, legend=legend, currency=code)


def pattern_svg(
    title: str,
    days: Sequence[tuple[str, int]],
    levels: Sequence[tuple[int, float, float]],
    shapes: Sequence[Shape],
    currency: str = "USD",
) -> str:
    """Return days (name, pico-USD) as bars with the levels between changes (place, USD before, after), and shapes."""
    names, costs = [name for name, _ in days], [cost for _, cost in days]
    edges = [0, *(place for place, _, _ in levels), len(days)]
    usual = [before for _, before, _ in levels] + [after for _, _, after in levels[-1:]]
    lines = [(low, high, level * 1e12) for (low, high), level in zip(pairwise(edges), usual, strict=False)]
    drawn = [(name, list(zip(places, shares, strict=True))) for name, places, shares in shapes]
    return _chart(
        title, [("a day", costs)], names, height=560, floor=280, levels=lines, shapes=drawn, currency=currency
    )


def _chart(
    title: str,
    drawn: Parts,
    labels: Sequence[str],
    *,
    height: int,
    floor: int,
    currency: str = "USD",
    **more: Any,
) -> str:
    """Return bars of `drawn`, stacked at each label, with their scale; `more`: what else the template draws."""
    heights, bars = [0] * len(labels), []
    for colour, (name, costs) in zip(COLOURS, drawn, strict=False):
        for n, cost in enumerate(costs):
            if cost > 0:
                heights[n] += cost
                bars.append((n, heights[n], cost, colour, f"{name}: {dollars(cost, currency=currency)}"))
    steps = ticks(max(heights, default=0) or 1)
    slot = (_WIDTH - _LEFT - _RIGHT) / max(len(labels), 1)
    return render(
        "chart.svg", title=title, width=_WIDTH, height=height, left=_LEFT, right=_RIGHT, floor=floor, steps=steps,
        currency=currency,
        scale=(floor - _TOP) / steps[-1], slot=slot, bars=bars, labels=labels,
        every=max(1, round(90 / slot + 0.5)), colours=COLOURS, **{"legend": [], "levels": [], "shapes": []} | more,
    )  # fmt: skip


def ticks(tallest: int) -> list[int]:
    """Return round amounts from 0 to at least `tallest`, three to six of them."""
    unit = 10 ** (len(str(tallest)) - 1)
    step = next(s for s in (unit // 5, unit // 2, unit, unit * 2) if s and tallest <= s * 5)
    return [step * n for n in range(-(-tallest // step) + 1)]
