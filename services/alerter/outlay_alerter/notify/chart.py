"""A chart of spending for messages, PNG: bars from the rollups, the expected amount, and where the alert began.

Of a budget the bars are what was spent by then, and the line is the limit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO
from itertools import accumulate
from typing import Literal
from zoneinfo import ZoneInfo

from PIL import Image, ImageDraw, ImageFont

from outlay_alerter.adapters.rollup_reader import RollupReader, windows_to
from outlay_alerter.notify.notification import Notification
from outlay_kit.errors import Retryable
from outlay_kit.time_ranges import TimeRange, floor_to, grain_length
from outlay_reports.alert_text import main_of
from outlay_reports.cost_query import CostQuery, parse_amount
from outlay_reports.money import dollars
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.dimensions import scope_text
from outlay_schemas.events import Grain
from outlay_schemas.money import to_pico

Picture = Callable[[Notification], bytes | None]
_WINDOWS = 60
_AFTER = 20
"""Windows after the first one that an alert is about."""
_BUDGETS = ("budget", "budget_forecast")
"""Alerts about a sum that grows over a period."""
_SHORT = timedelta(days=3)
"""Periods up to here are drawn by hour."""
_MINUTE = timedelta(minutes=1)
_UTC = ZoneInfo("UTC")
_WIDTH, _HEIGHT = 1200, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 110, 24, 64, 48
_INK, _PALE, _GRID, _BAR, _LOUD, _LINE = "#1c2430", "#5b6673", "#e6eaef", "#9bb4d1", "#d0402b", "#2e7d32"
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True, slots=True)
class Spending:
    """Windows of one length, the oldest first."""

    title: str
    start: datetime
    step: timedelta
    costs: Sequence[int]
    """Pico-USD of each window."""
    since: datetime | None = None
    """From here on bars are loud."""
    expected: int | None = None
    """Pico-USD of a window that was expected; None: no line."""
    line: str = "expected"
    """The name of the line."""


def draw(spending: Spending) -> bytes:
    """Return the picture. The same spending gives the same picture."""
    image = Image.new("RGB", (_WIDTH, _HEIGHT), "#ffffff")
    pen = ImageDraw.Draw(image)
    pen.text((_LEFT, 16), spending.title[:90], fill=_INK, font=_font(26))
    top = _nice(max([*spending.costs, spending.expected or 0, 1]))
    _grid(pen, top)
    _bars(pen, spending, top)
    if spending.expected is not None:
        y = _y(spending.expected, top)
        pen.line((_LEFT, y, _WIDTH - _RIGHT, y), fill=_LINE, width=3)
        pen.text((_LEFT + 4, y - 4), spending.line, fill=_LINE, font=_font(20), anchor="lb")
    _times(pen, spending)
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _grid(pen: ImageDraw.ImageDraw, top: int) -> None:
    for part in range(5):
        amount = top * part // 4
        y = _y(amount, top)
        pen.line((_LEFT, y, _WIDTH - _RIGHT, y), fill=_GRID, width=2)
        pen.text((_LEFT - 12, y), dollars(amount), fill=_PALE, font=_font(20), anchor="rm")


def _bars(pen: ImageDraw.ImageDraw, spending: Spending, top: int) -> None:
    wide = (_WIDTH - _LEFT - _RIGHT) / max(len(spending.costs), 1)
    for place, cost in enumerate(spending.costs):
        at = spending.start + spending.step * place
        loud = spending.since is not None and at + spending.step > spending.since
        left = _LEFT + wide * place
        if cost > 0:
            box = (left + wide * 0.1, _y(cost, top), left + wide * 0.9, _HEIGHT - _BOTTOM)
            pen.rectangle(box, fill=_LOUD if loud else _BAR)


def _times(pen: ImageDraw.ImageDraw, spending: Spending) -> None:
    wide = (_WIDTH - _LEFT - _RIGHT) / max(len(spending.costs), 1)
    form = {"minute": "%H:%M", "hour": "%d %b %H:%M", "day": "%d %b"}[_grain(spending.step)]
    every = max(len(spending.costs) // 5, 1)
    end = _WIDTH - _RIGHT - pen.textlength("UTC", _font(16))
    for place in range(0, len(spending.costs), every):
        at = spending.start + spending.step * place
        text, left = f"{at:{form}}", _LEFT + wide * place
        if left + pen.textlength(text, _font(20)) < end:
            pen.text((left, _HEIGHT - _BOTTOM + 10), text, fill=_PALE, font=_font(20))
    pen.text((_WIDTH - _RIGHT, _HEIGHT - 8), "UTC", fill=_PALE, font=_font(16), anchor="rb")


def _y(amount: int, top: int) -> float:
    high = _HEIGHT - _TOP - _BOTTOM
    return _HEIGHT - _BOTTOM - high * min(amount / top, 1.0)


def _nice(most: int) -> int:
    size = int("1" + "0" * (len(str(most)) - 1))
    return next(step * size for step in (1, 2, 4, 6, 8, 10) if step * size >= most)


@cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)


def pictures(rollups: RollupReader) -> Picture:
    """Return a function that charts a notification's alert; None if it has no amount, or ClickHouse is unavailable.

    The chart shows the alert as it was decided; its title shows what the channel may see.
    """

    def picture(notification: Notification) -> bytes | None:
        shown = main_of(notification.alerts)
        if (notification.incident is None and len(notification.alerts) > 1) or shown.unit != "USD":
            return None
        alert = next(
            a for a in (alert_decoder.decode(m.body) for m in notification.messages) if a.id == shown.id
        )
        scope = scope_text(shown.scope_values)
        try:
            found = (
                budget_course(rollups, alert, scope)
                if alert.rule_type in _BUDGETS
                else _windows(rollups, alert, scope)
            )
        except Retryable:
            return None
        return draw(found) if any(found.costs) else None

    return picture


def _windows(rollups: RollupReader, alert: Alert, scope: str) -> Spending:
    """Return the windows around the first that an alert is about. Raises Retryable."""
    grain = _grain_of(alert)
    newest = floor_to(alert.at, grain)
    own = alert.rule_type != "threshold"  # its limit may be of another measure
    if own:
        newest = min(newest, floor_to(alert.window, grain) + grain_length(grain) * _AFTER)
    starts = windows_to(grain, newest, _WINDOWS)
    found = rollups.series(alert.tenant, grain, starts, alert.scope_values)
    expected = to_pico(alert.expected) if alert.expected is not None and own else None
    costs = [found[at].cost if at in found else 0 for at in starts]
    since = alert.window if own else None
    return Spending(f"USD by {grain}: {scope}", starts[0], grain_length(grain), costs, since, expected)


def budget_course(rollups: RollupReader, alert: Alert, scope: str) -> Spending:
    """Return what was spent of a budget by each hour or day of its period, up to the alert. Raises Retryable."""
    minute = floor_to(alert.at, "minute") + _MINUTE
    span = TimeRange(alert.window, max(min(minute, alert.window_end or minute), alert.window + _MINUTE))
    unit: Literal["hour", "day"] = "hour" if span.length <= _SHORT else "day"
    query = CostQuery(
        span, _UTC, where=alert.scope_values, tenants=(alert.tenant,), unit=unit,
        amount=parse_amount(alert.facts.get("counts", "cost")),
    )  # fmt: skip
    costs = list(accumulate(rollups.costs.series([query])[0]))
    limit = to_pico(alert.expected or "0")
    over = next((at for at, cost in zip(query.bounds, costs, strict=False) if cost >= limit), None)
    name = f"{alert.level.removeprefix('forecast-')}%: {dollars(limit)}"
    title = f"USD spent since {span.start:%Y-%m-%d %H:%M}: {scope}"
    return Spending(title, span.start, grain_length(unit), costs, over, limit, name)


def _grain_of(alert: Alert) -> Grain:
    """Return the grain of the windows that were judged, else one in which what happened fills a part of the picture."""
    if alert.rule_type == "budget_burn":
        return "minute"
    if alert.rule_type != "threshold" and alert.window_end is not None:
        return _grain(alert.window_end - alert.window)
    age = alert.at - alert.window
    return "minute" if age < timedelta(minutes=45) else "hour" if age < timedelta(hours=45) else "day"


def _grain(length: timedelta) -> Grain:
    return "minute" if length < timedelta(hours=1) else "hour" if length < timedelta(days=1) else "day"
