"""Server-sent events: live figures of a tenant, and its newest events with their cost."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from outlay_console import metrics
from outlay_console.adapters.kafka import EventTail, TailEvent
from outlay_console.adapters.readers import TenantReader
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.domain.view import View
from outlay_console.pages.overview import spans
from outlay_console.sessions import Session
from outlay_kit.clock import Clock
from outlay_kit.errors import Retryable
from outlay_reports.money import usd
from outlay_reports.range_sums import Selection
from outlay_schemas.currency import USD, Currency, NoRateError

_EVERY = 0.4
"""Seconds between checks for new totals."""
_SHOWN = ("today", "month")
_BEAT = 15.0
"""Seconds of silence after which a comment is sent, so that no proxy takes the stream for dead."""


@dataclass
class _Known:
    """The totals of one tenant and zone as JSON, with the state of the rollups that they come from."""

    looked: float = float("-inf")
    state: tuple[int, datetime] | None = None
    text: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class LiveTotals:
    """The totals of each tenant or its teams, shared by its open streams; queried again when the rollups change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[tuple[TenantReader, str, Currency], _Known] = {}

    async def read(self, rollups: RollupReader, view: View) -> str:
        """Return the figures as JSON, at most half a second old. Raises Retryable."""
        known = self._known.setdefault((rollups.reader, view.zone.key, view.currency), _Known())
        async with known.lock:
            if self._clock.monotonic() - known.looked >= _EVERY:
                now = self._clock.now()
                # The minute is part of the state: midnight changes what today is, though no event comes.
                state = (await rollups.written(), now.replace(second=0, microsecond=0))
                if state != known.state:
                    known.text = await _figures(rollups, view, state[0], now)
                    known.state = state
                known.looked = self._clock.monotonic()
            return known.text


async def _figures(rollups: RollupReader, view: View, written: int, now: datetime) -> str:
    ranges = spans(view, now)
    wanted = {name: Selection(ranges[name]) for name in _SHOWN}
    totals, code = await rollups.totals(wanted, view.currency), view.currency.code
    shown = {
        name: usd(one.cost, lower_bound=bool(one.unpriced), currency=code) for name, one in totals.items()
    }
    events, unpriced = f"{totals['today'].events:,}", f"{totals['month'].unpriced:,}"
    return json.dumps({**shown, "events": events, "unpriced": unpriced, "written": written})


def figures_stream(
    request: Request,
    rollups: RollupReader,
    view: View,
    figures: LiveTotals,
    alive: Callable[[], Session | None],
) -> Response:
    """Send the figures when they change, until the session or the browser ends."""

    async def messages() -> AsyncIterator[str]:
        session = alive()
        sent, silent = "", 0.0
        while session is not None:
            try:
                text = await figures.read(rollups, view)
                message = f"event: figures\ndata: {text}\n\n" if text != sent else ""
                sent = text
            except (Retryable, NoRateError):
                message = "" if sent == "away" else "event: away\ndata: {}\n\n"
                sent = "away"
            silent = 0.0 if message else silent + _EVERY
            if silent >= _BEAT:
                message, silent = ": well\n\n", 0.0
            if message:
                yield message
            await asyncio.sleep(_EVERY)
            session = alive()

    return _stream(request, "figures", messages())


def tail_stream(
    request: Request, tail: EventTail, view: View, alive: Callable[[], Session | None]
) -> Response:
    """Send each new event, a few at once where many come."""

    async def messages() -> AsyncIterator[str]:
        session = alive()
        if session is None:
            return
        async with tail.listen(session.tenant) as queue:
            yield ": listening\n\n"
            while alive() is not None:
                try:
                    first = await asyncio.wait_for(queue.get(), _BEAT)
                except TimeoutError:
                    yield ": well\n\n"
                    continue
                await asyncio.sleep(0.1)
                rows = [first, *(queue.get_nowait() for _ in range(queue.qsize()))]
                rows = [row for row in rows if not session.teams or row.team in session.teams]
                if not rows:
                    continue
                shown = msgspec.json.encode([_shown(row, view.currency) for row in rows]).decode()
                yield f"event: costs\ndata: {shown}\n\n"

    return _stream(request, "events", messages())


def _shown(event: TailEvent, currency: Currency) -> Mapping[str, object]:
    known = currency if currency.factor(event.time) is not None else USD  # without a rate it stays in USD
    cost = None if event.cost is None else known.convert(Decimal(event.cost), event.time)
    shown = ("id", "source", "time", "provider", "sku", "team", "project", "user")
    return {name: getattr(event, name) for name in shown} | {
        "at": int(event.time.timestamp()),
        "cost": usd(cost, currency=known.code), "unpriced": event.price_status == "unpriced",
    }  # fmt: skip


def _stream(request: Request, name: str, messages: AsyncIterator[str]) -> Response:
    async def counted() -> AsyncIterator[str]:
        with metrics.LISTENERS.labels(name).track_inprogress():
            async for message in messages:
                if await request.is_disconnected():
                    return
                yield message

    return StreamingResponse(counted(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
