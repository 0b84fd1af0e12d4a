"""Which opportunities were dismissed, and why. Reading needs the reader; dismissing needs the writer."""

from datetime import datetime

import msgspec

from outlay_kit.clickhouse import ClickHouseClient


class Dismissals:
    """The dismissals in ClickHouse. Every method raises Retryable where it is away."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse

    def reasons(self) -> dict[str, str]:
        """Return why each dismissed opportunity was, by its id."""
        rows = self._clickhouse.rows("SELECT id, reason FROM dismissals FINAL WHERE dismissed")
        return {row["id"]: row["reason"] for row in rows}

    def mark(self, identity: str, reason: str, who: str, at: datetime, *, dismissed: bool) -> None:
        """Dismiss an opportunity, or take it back. The newest mark counts."""
        row = {"id": identity, "dismissed": dismissed, "reason": reason, "by": who, "at": at.isoformat()}
        self._clickhouse.insert_json_lines("dismissals", msgspec.json.encode(row))
