"""The only thing that the console writes: what people say about alerts, and which opportunities they do not want.

By a user of ClickHouse of its own, that may insert into those two tables and do nothing else.
"""

import asyncio
import threading
from datetime import datetime

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.settings import ClickHouseSettings
from outlay_schemas.alerts import AlertAction
from outlay_schemas.events import encoder


class Words:
    """Writes what people say, one at a time: they say little."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._clickhouse = ClickHouseClient(settings)
        self._lock = threading.Lock()

    async def say(self, word: AlertAction) -> None:
        """Write a word about an alert down; the alerter heeds it within seconds. Raises Retryable."""
        await asyncio.to_thread(self._insert, "alert_actions", encoder.encode(word))

    async def dismiss(self, id: str, reason: str, who: str, at: datetime, *, dismissed: bool) -> None:  # noqa: A002
        """Dismiss an opportunity, or take that back. Raises Retryable."""
        row = {"id": id, "dismissed": dismissed, "reason": reason, "by": who, "at": at}
        await asyncio.to_thread(self._insert, "dismissals", encoder.encode(row))

    def _insert(self, table: str, line: bytes) -> None:
        with self._lock:
            self._clickhouse.insert_json_lines(table, line)
