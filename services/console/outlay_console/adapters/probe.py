"""Tells a frozen ClickHouse from a slow query: a page waits for a long query, but not for an engine that is away."""

import asyncio
from typing import Any, TypeVar

import urllib3

from outlay_kit.errors import Retryable
from outlay_kit.settings import ClickHouseSettings

T = TypeVar("T")
_GRACE = 0.3
"""Seconds before the engine is asked whether it answers: most queries are done by then."""
_FAULT = 500
"""Statuses from here on are of an engine, or a proxy before it, that cannot answer."""


class EngineAway(Retryable):
    """ClickHouse answers nothing at all."""

    def __init__(self) -> None:
        super().__init__("ClickHouse is not responding")


class Probe:
    """Asks `/ping` beside queries that take long; one ping at a time, whoever waits for it."""

    def __init__(self, settings: ClickHouseSettings, seconds: float) -> None:
        """`seconds`: how long a ping may take."""
        self._url, self._seconds = settings.url.rstrip("/") + "/ping", seconds
        self._http = urllib3.PoolManager(ca_certs=settings.ca_file or None)
        self._asked: asyncio.Task[bool] | None = None
        self._away = False

    async def check(self) -> None:
        """Refuse a query at once while ClickHouse is known to be away. Raises EngineAway."""
        if self._away and not await asyncio.shield(self._ping()):
            raise EngineAway

    async def wait(self, work: asyncio.Future[T]) -> T:
        """Return the result of `work`, for as long as ClickHouse answers beside it. Raises EngineAway."""
        await asyncio.wait({work}, timeout=_GRACE)
        while not work.done():
            ping = self._ping()
            both: set[asyncio.Future[Any]] = {work, ping}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not work.done() and not ping.result():
                work.cancel()
                raise EngineAway
            await asyncio.wait({work}, timeout=_GRACE)
        return work.result()

    def _ping(self) -> asyncio.Task[bool]:
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self._answers())
        return self._asked

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(self._seconds):
                answer = await asyncio.to_thread(
                    self._http.request, "GET", self._url, timeout=self._seconds, retries=False
                )
            self._away = answer.status >= _FAULT
        except (TimeoutError, urllib3.exceptions.HTTPError, OSError):
            self._away = True
        return not self._away
