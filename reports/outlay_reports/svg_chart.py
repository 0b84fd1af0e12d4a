"""SVG charts of cost over time. Floats are coordinates only; the amounts beside them are exact."""

from collections.abc import Sequence
from html import escape
from itertools import pairwise

from outlay_reports.cost_query import CostQuery
from outlay_reports.money import dollars
from outlay_reports.periods import label
from outlay_reports.trend import Series, Trend
from outlay_schemas.dimensions import name_of

COLOURS = ("#3b6fb6", "#e08a2e", "#4c9f70", "#b04a5a", "#7d6bb3", "#9a9a9a")
_PARTS = 5
"""More parts are hard to distinguish; the rest is drawn as one."""


def stack(found: Trend) -> list[tuple[str, list[int]]]:
    """Return the names and pico-USD of the most expensive parts, and of all others as one."""
    if not found.parts:
        return [("all", [point.sums.cost for point in found.all.points])]
    drawn = [(_name(part), [point.sums.cost for point in part.points]) for part in found.parts[:_PARTS]]
    rest = found.parts[_PARTS:]
    if rest:
        columns = zip(*([point.sums.cost for point in part.points] for part in rest), strict=True)
        drawn.append((f"{len(rest)} others", [sum(column) for column in columns]))
    return drawn


def _name(series: Series) -> str:
    return " / ".join(map(name_of, series.keys))


def trend_svg(title: str, question: CostQuery, found: Trend, width: int = 960, height: int = 360) -> str:
    """Return stacked bars as an SVG page, its scale, labels and legend with it."""
    points = found.all.points
    drawn = stack(found)
    left, top, right, bottom = 84, 48, 16, 64
    tallest = max([point.sums.cost for point in points] or [0]) or 1
    steps = ticks(tallest)
    scale = (height - top - bottom) / steps[-1]
    slot = (width - left - right) / max(len(points), 1)
    floor = height - bottom
    parts = [_text(left, 22, title, size=15, weight="600")]
    for at in steps:
        y = floor - at * scale
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        parts.append(_text(left - 8, y + 4, dollars(at), anchor="end"))
    parts += _bars(drawn, left, floor, slot, scale)
    every = max(1, round(90 / slot + 0.5))
    for n in range(0, len(points), every):
        name = label(points[n].start, question.unit, question.zone)
        parts.append(_text(left + (n + 0.5) * slot, floor + 18, name[:16].replace("T", " "), anchor="middle"))
    for n, (name, _) in enumerate(drawn if len(drawn) > 1 else []):
        x = left + n * (width - left - right) / len(drawn)
        parts.append(f'<rect x="{x:.1f}" y="{height - 26}" width="11" height="11" fill="{COLOURS[n]}"/>')
        parts.append(_text(x + 16, height - 16, name[:28]))
    return _page(title, parts, width, height)


def _page(title: str, parts: Sequence[str], width: int, height: int) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label="{escape(title)}">\n<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


Shape = tuple[str, Sequence[str], Sequence[float]]
"""A title, the names of places, and what each usually is as a share of the mean."""


def pattern_svg(
    title: str,
    days: Sequence[tuple[str, int]],
    levels: Sequence[tuple[int, float, float]],
    shapes: Sequence[Shape],
) -> str:
    """Return days (name, pico-USD) as bars with the levels between changes (place, USD before, after), and shapes."""
    width, height, left, right, top, floor = 960, 560, 84, 16, 48, 280
    steps = ticks(max([cost for _, cost in days] or [0]) or 1)
    scale = (floor - top) / steps[-1]
    slot = (width - left - right) / max(len(days), 1)
    parts = [_text(left, 22, title, size=15, weight="600")]
    for at in steps:
        y = floor - at * scale
        parts.append(f'<line x1="{left}" x2="{width - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e4e4e4"/>')
        parts.append(_text(left - 8, y + 4, dollars(at), anchor="end"))
    parts += _bars([("a day", [cost for _, cost in days])], left, floor, slot, scale)
    edges = [0, *(place for place, _, _ in levels), len(days)]
    usual = [before for _, before, _ in levels] + ([levels[-1][2]] if levels else [])
    for level, (low, high) in zip(usual, pairwise(edges), strict=False):
        y, x1, x2 = floor - level * 1e12 * scale, left + low * slot, left + high * slot
        parts.append(
            f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{COLOURS[1]}" stroke-width="2.5"/>'
        )
    for n in range(0, len(days), max(1, round(90 / slot + 0.5))):
        parts.append(_text(left + (n + 0.5) * slot, floor + 18, days[n][0], anchor="middle"))
    half = (width - left - right) / max(len(shapes), 1)
    for n, shape in enumerate(shapes):
        parts += _shape(shape, left + n * half, half - 40)
    return _page(title, parts, width, height)


def _shape(shape: Shape, left: float, width: float) -> list[str]:
    """Draw what places usually are; the line is the mean."""
    title, names, shares = shape
    floor, tall = 520.0, 150.0
    scale = tall / max(*shares, 1.0)
    slot = width / len(names)
    parts = [_text(left, 345, title, size=13, weight="600")]
    for n, (name, part) in enumerate(zip(names, shares, strict=True)):
        x, high = left + n * slot, part * scale
        parts.append(
            f'<rect x="{x + slot * 0.1:.1f}" y="{floor - high:.1f}" width="{slot * 0.8:.1f}" height="{high:.1f}"'
            f' fill="{COLOURS[2]}"><title>{escape(name)}: {part:.0%} of the mean</title></rect>'
        )
        if len(names) < 10 or n % 3 == 0:
            parts.append(_text(x + slot / 2, floor + 16, name, anchor="middle", size=11))
    y = floor - scale
    parts.append(
        f'<line x1="{left:.1f}" x2="{left + width:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="#333"'
        ' stroke-dasharray="4 4"/>'
    )
    return parts


def _bars(
    drawn: Sequence[tuple[str, list[int]]], left: float, floor: float, slot: float, scale: float
) -> list[str]:
    parts = []
    heights = [0] * (len(drawn[0][1]) if drawn else 0)
    for colour, (name, costs) in zip(COLOURS, drawn, strict=False):
        for n, cost in enumerate(costs):
            if cost <= 0:
                continue
            tall = cost * scale
            y = floor - heights[n] * scale - tall
            heights[n] += cost
            parts.append(
                f'<rect x="{left + n * slot + slot * 0.1:.1f}" y="{y:.1f}" width="{max(slot * 0.8, 0.5):.1f}"'
                f' height="{tall:.1f}" fill="{colour}"><title>{escape(name)}: {dollars(cost)}</title></rect>'
            )
    return parts


def ticks(tallest: int) -> list[int]:
    """Return round amounts from 0 to at least `tallest`, three to six of them."""
    unit = 10 ** (len(str(tallest)) - 1)
    step = next(s for s in (unit // 5, unit // 2, unit, unit * 2) if s and tallest <= s * 5)
    return [step * n for n in range(-(-tallest // step) + 1)]


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, weight: str = "400"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-family="system-ui,sans-serif" font-size="{size}" fill="#333"'
        f' font-weight="{weight}" text-anchor="{anchor}">{escape(text)}</text>'
    )
