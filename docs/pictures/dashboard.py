"""Draws the dashboard *Spend* of deploy/grafana without Grafana: its own layout, and the answers to its own queries.

outlay up && python -m docs.pictures.weeks && python -m docs.pictures.dashboard docs/pictures
"""

import asyncio
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html import escape
from itertools import accumulate
from math import floor, log10
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright
from tests.support.browser import ARGS, chromium, save
from tests.support.grafana import DASHBOARDS, STEP, expand

from outlay.local.state import stores
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.time_ranges import TimeRange
from outlay_reports.svg_chart import ticks
from outlay_schemas.tenants import DEMO_TENANT

BOARD = DASHBOARDS["spend"]
WIDTH, EDGE, GAP, ROW, TITLE, LEGEND = 1280, 16, 8, 30, 32, 40
"""Pixels. A cell of Grafana's grid is 30 high, the gap between two is 8, and a row has 24."""
Rows = list[dict[str, Any]]
_HUES = {"green": "#37872d", "orange": "#e8710a", "red": "#d4374c", "text": "#24292e"}
_WHEEL = (210, 350, 150, 265, 40, 180, 310, 75, 20, 235)
_STYLE = Path(__file__).with_suffix(".css").read_text("utf-8")


@dataclass(frozen=True)
class Panel:
    """A panel of the dashboard, and what its query answered."""

    json: dict[str, Any]
    config: dict[str, Any]
    """How its fields are shown, where no override says otherwise."""
    rows: Rows
    shown: TimeRange
    alerts: list[datetime]

    def share(self, at: datetime) -> float:
        """Return which share of the time range is over at a time, UTC."""
        return (at.replace(tzinfo=UTC) - self.shown.start) / self.shown.length


def figure(value: object, unit: str) -> str:
    """Write a value with three digits, in the unit of its field."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if not isinstance(value, int | float | Decimal):
        return escape(str("" if value is None else value))
    size, more = abs(float(value)), ""
    if unit != "percent" and size >= 1000:
        size, more = (size / 1e6, "M") if size >= 1e6 else (size / 1000, "K")
    digits = 0 if size % 1 == 0 else max(0, 2 - floor(log10(size)))
    form = {"currencyUSD": "${}{}", "percent": "{}%{}", "short": "{} {}"}[unit]
    return ("-" if value < 0 else "") + form.format(f"{size:.{digits}f}", more).strip()


def threshold(value: Any, config: dict[str, Any]) -> str:
    """Return the colour of a value: a fixed one, or that of the highest step that it reached."""
    if config.get("color", {}).get("mode") == "fixed":
        return _HUES[config["color"]["fixedColor"]]
    steps = config["thresholds"]["steps"]
    return _HUES[[one["color"] for one in steps if one["value"] is None or value >= one["value"]][-1]]


def _colour(place: int) -> str:
    return f"hsl({_WHEEL[place % len(_WHEEL)]} 55% {50 + place // len(_WHEEL) % 3 * 12}%)"


def _legend(names: list[str]) -> str:
    marks = (f'<i style="background:{_colour(n)}"></i>{escape(name)}' for n, name in enumerate(names))
    return f'<div class="legend"><span>{"</span> <span>".join(marks)}</span></div>'


def stat(panel: Panel) -> str:
    """Draw the last value, large."""
    (value,) = panel.rows[-1].values()
    text = figure(value, panel.config["unit"])
    return f'<div class="stat" style="color:{threshold(value, panel.config)}">{text}</div>'


def table(panel: Panel) -> str:
    """Draw the rows; what does not fit would be scrolled to."""
    own: dict[str, dict[str, Any]] = {name: dict(panel.config) for name in panel.rows[0]}
    for override in panel.json["fieldConfig"]["overrides"]:
        own[override["matcher"]["options"]] |= {one["id"]: one["value"] for one in override["properties"]}
    shown = {name: field for name, field in own.items() if not field.get("custom.hidden")}

    def cell(value: Any, field: dict[str, Any]) -> str:
        text = figure(value, field["unit"])
        if field.get("custom.cellOptions", {}).get("type") == "gauge":
            width = 100 * (value - field["min"]) / (field["max"] - field["min"])
            bar = f'<div><div style="width:{min(100, max(0, width)):.1f}%"></div></div>'
            return f'<td><div class="gauge" style="color:{threshold(value, field)}">{bar}<b>{text}</b></div></td>'
        if field.get("links"):
            return f'<td><a href="#">{text}</a></td>'
        return f'<td class="{type(value).__name__}">{text}</td>'

    head = "".join(f'<th class="{type(panel.rows[0][name]).__name__}">{escape(name)}</th>' for name in shown)
    cells = ("".join(cell(row[name], field) for name, field in shown.items()) for row in panel.rows)
    return f"<table><tr>{head}</tr><tr>{'</tr><tr>'.join(cells)}</tr></table>"


def piechart(panel: Panel) -> str:
    """Draw a slice for each row: a name and a value."""
    names, values = zip(*(row.values() for row in panel.rows), strict=True)
    ends = [100 * float(end / sum(values)) for end in accumulate(values)]
    slices = ",".join(f"{_colour(n)} 0 {end:.2f}%" for n, end in enumerate(ends))
    return f'<div class="pie" style="background:conic-gradient({slices})"></div>' + _legend([*names])


def timeseries(panel: Panel) -> str:
    """Draw stacked bars: each row has a time, a name and a value. Each alert is a line."""
    look, unit, at = panel.config["custom"], panel.config["unit"], panel.json["gridPos"]
    assert (look["drawStyle"], look["stacking"]["mode"]) == ("bars", "normal")
    opaque, width = look["fillOpacity"] / 100, at["w"] * (WIDTH - 2 * EDGE + GAP) / 24 - GAP - 18
    left, floor_ = 56.0, at["h"] * (ROW + GAP) - GAP - TITLE - LEGEND - 24.0
    across = width - left - 6
    bars = [
        (panel.share(start), str(name), float(value)) for start, name, value in map(dict.values, panel.rows)
    ]
    names, tops = sorted({name for _, name, _ in bars}), dict.fromkeys((start for start, _, _ in bars), 0.0)
    drawn = []
    for start, name, value in sorted(bars):
        colour, x = _colour(names.index(name)), left + max(start, 0.0) * across
        drawn.append((x, tops[start], tops[start] + value, colour))
        tops[start] += value
    scale = [step / 1e6 for step in ticks(int(max(tops.values(), default=0) * 1e6) or 1)]
    high, wide = (floor_ - 8) / scale[-1], 0.9 * across * STEP / panel.shown.length.total_seconds()
    parts = []
    for step in scale:
        y = floor_ - step * high
        parts.append(f'<path d="M{left} {y:.1f}H{width - 6}" stroke="#e3e5e9"/>')
        parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{figure(step, unit)}</text>')
    for x, low, top, colour in drawn:
        box = f'<rect x="{x:.2f}" y="{floor_ - top * high:.2f}" width="{wide:.2f}" '
        parts.append(box + f'height="{(top - low) * high:.2f}" fill="{colour}" fill-opacity="{opaque}"/>')
    midnight = panel.shown.end.replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (midnight - timedelta(days=n) for n in range(panel.shown.length.days)):
        x = left + panel.share(day) * across
        parts.append(f'<text x="{x:.1f}" y="{floor_ + 16}" text-anchor="middle">{day:%m/%d}</text>')
    for alert in panel.alerts:
        x = left + panel.share(alert) * across
        parts.append(f'<path d="M{x:.1f} 8V{floor_}" stroke="{_HUES["red"]}" stroke-dasharray="3 3"/>')
    return f'<svg width="{width}" height="{floor_ + 20}">{"".join(parts)}</svg>' + _legend(names)


DRAWN = {draw.__name__: draw for draw in (stat, table, piechart, timeseries)}


def page(clickhouse: ClickHouseClient, tenant: str, shown: TimeRange) -> str:
    """Ask every query of the dashboard, with All chosen, and return the page."""

    def ask(target: dict[str, Any]) -> Rows:
        return clickhouse.rows(expand(target["rawSql"], tenant, shown))

    alerts = [row["time"] for note in BOARD["annotations"]["list"] for row in ask(note["target"])]
    sections = []
    for one in BOARD["panels"]:
        (target,), at = one["targets"], one["gridPos"]
        place = f"grid-area:{at['y'] + 1}/{at['x'] + 1}/span {at['h']}/span {at['w']}"
        panel = Panel(one, one["fieldConfig"]["defaults"], ask(target), shown, alerts)
        drawn = DRAWN[one["type"]](panel) if panel.rows else '<div class="none">No data</div>'
        sections.append(f'<section style="{place}"><h2>{escape(one["title"])}</h2>{drawn}</section>')
    links = "".join(f'<a class="box" href="#">{escape(link["title"])}</a>' for link in BOARD["links"])
    span = " to ".join(f"{at:%Y-%m-%d %H:%M}" for at in (shown.start, shown.end))
    head = f'<header><h1>{escape(BOARD["title"])}</h1>{links}<span class="box">{span} UTC</span></header><header>'
    for one in BOARD["templating"]["list"]:
        chosen = tenant if one["name"] == "tenant" else one["current"]["text"]
        head += f'<span class="box"><b>{escape(one["label"])}</b>{escape(chosen)}</span>'
    return f"<!doctype html><style>{_STYLE}</style>{head}</header><main>{''.join(sections)}</main>"


async def take(folder: Path) -> None:
    """Write dashboard.png."""
    days, end = int(BOARD["time"]["from"].removeprefix("now-").removesuffix("d")), SystemClock().now()
    clickhouse = ClickHouseClient(stores()[1])
    drawn = page(clickhouse, DEMO_TENANT, TimeRange(end - timedelta(days=days), end))
    clickhouse.close()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGS)
        shot = await browser.new_page(viewport={"width": WIDTH, "height": 400})
        await shot.set_content(drawn)
        save(await shot.screenshot(full_page=True), folder / "dashboard.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1])))
