"""A picture of spending for messages: bars, what was expected, and where the alert began. PNG."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from outlay_reports.money import dollars

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
        pen.text((_LEFT + 4, y - 4), "expected", fill=_LINE, font=_font(20), anchor="lb")
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
    form = (
        "%H:%M"
        if spending.step < timedelta(hours=1)
        else "%d %b %H:%M"
        if spending.step < timedelta(days=1)
        else "%d %b"
    )
    every = max(len(spending.costs) // 5, 1)
    for place in range(0, len(spending.costs), every):
        at = spending.start + spending.step * place
        pen.text((_LEFT + wide * place, _HEIGHT - _BOTTOM + 10), f"{at:{form}}", fill=_PALE, font=_font(20))
    pen.text((_WIDTH - _RIGHT, _HEIGHT - 8), "UTC", fill=_PALE, font=_font(16), anchor="rb")


def _y(amount: int, top: int) -> float:
    high = _HEIGHT - _TOP - _BOTTOM
    return _HEIGHT - _BOTTOM - high * min(amount / top, 1.0)


def _nice(most: int) -> int:
    """Return a round amount that is at least `most`."""
    size = int("1" + "0" * (len(str(most)) - 1))
    return next(step * size for step in (1, 2, 4, 6, 8, 10) if step * size >= most)


@cache
def _font(size: int) -> Font:
    return ImageFont.load_default(size)
