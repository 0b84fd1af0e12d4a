"""The console's only writes: user actions on alerts and dismissed opportunities, by a user that may insert only."""

import asyncio
import threading
from datetime import datetime

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.settings import ClickHouseSettings
from outlay_schemas.alerts import AlertAction
from outlay_schemas.events import encoder


class ActionWriter:
    """Writes one row at a time."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        self._clickhouse = ClickHouseClient(settings)
        self._lock = threading.Lock()

    async def write(self, action: AlertAction) -> None:
        """Write an action on an alert; the alerter applies it within seconds. Raises Retryable."""
        await asyncio.to_thread(self._insert, "alert_actions", encoder.encode(action))

    async def dismiss(self, id: str, reason: str, who: str, at: datetime, *, dismissed: bool) -> None:  # noqa: A002
        """Dismiss an opportunity, or restore it. Raises Retryable."""
        row = {"id": id, "dismissed": dismissed, "reason": reason, "by": who, "at": at}
        await asyncio.to_thread(self._insert, "dismissals", encoder.encode(row))

    def _insert(self, table: str, line: bytes) -> None:
        with self._lock:
            self._clickhouse.insert_json_lines(table, line)
