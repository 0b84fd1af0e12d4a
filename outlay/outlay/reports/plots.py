"""Plots of cost over time on the terminal. Floats are for where something is drawn; the numbers beside it are exact."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from outlay_reports.cost_query import CostQuery
from outlay_reports.money import dollars
from outlay_reports.periods import label
from outlay_reports.report_table import one_line
from outlay_reports.svg_chart import COLOURS, stack, ticks
from outlay_reports.trend import Trend

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def draw(query: CostQuery, found: Trend, console: Console) -> None:
    """Draw stacked columns on the terminal, as wide as it is; nothing for less than two points."""
    points = found.all.points
    if len(points) < 2:
        return
    drawn = stack(found)
    tallest = max(point.sums.cost for point in points)
    steps = ticks(round(tallest) or 1)
    each = max(12 // (len(steps) - 1), 2)
    height = each * (len(steps) - 1)
    room = max(min(console.width, 120) - 12, len(points))
    wide = max(min(room // len(points), 9), 1)
    for level in range(height, 0, -1):
        line = Text(
            f"{dollars(steps[level // each], currency=query.currency.code) if level % each == 0 else '':>10} ",
            no_wrap=True,
        )
        for n in range(len(points)):
            line.append_text(_block(drawn, n, level, steps[-1] / height, wide))
        console.print(line, soft_wrap=True)
    first, last = (label(points[n].start, query.unit, query.zone)[:16].replace("T", " ") for n in (0, -1))
    axis = first + last.rjust(max(wide * len(points) - len(first), 1))
    console.print(Text(" " * 11 + axis), soft_wrap=True)
    if len(drawn) > 1:
        legend = Text(" " * 11)
        for colour, (name, _) in zip(COLOURS, drawn, strict=False):
            legend.append("█ ", style=colour).append(f"{one_line(name)}  ")
        console.print(legend)
    console.print()


def _block(drawn: Sequence[tuple[str, list[int]]], n: int, level: int, step: float, wide: int) -> Text:
    """Return what a column shows at a height: the part that is there, an eighth of a block at its top."""
    low, high = (level - 1) * step, level * step
    base, style = 0, ""
    for colour, (_, costs) in zip(COLOURS, drawn, strict=False):
        if costs[n] > 0 and base < high:
            style = colour if base <= (low + high) / 2 or not style or base <= low else style
        base += max(costs[n], 0)
    eighths = min(max(round((base - low) / step * 8), 0), 8)
    if base > 0 and level == 1:
        eighths = max(eighths, 1)
    gap = 1 if wide > 2 else 0
    return Text(_EIGHTHS[eighths] * (wide - gap) + " " * gap, style=style)
