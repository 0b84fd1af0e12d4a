"""The newest status of each budget, in ClickHouse."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.budgets import BudgetStatus
from outlay_schemas.events import encoder

_decoder = msgspec.json.Decoder(BudgetStatus)


class BudgetStatusStore:
    """Every method raises Retryable when ClickHouse is unavailable."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse
        self._written: dict[tuple[str, str], BudgetStatus] = {}

    def read(self) -> list[BudgetStatus]:
        """Return the newest status of each budget that was not removed."""
        rows = self._clickhouse.rows("SELECT body FROM budget_status FINAL WHERE standing != 'removed'")
        return [_decoder.decode(row["body"]) for row in rows]

    def write(self, statuses: Sequence[BudgetStatus]) -> None:
        """Write the statuses that changed."""
        epoch = datetime.fromtimestamp(0, UTC)
        timeless = {(s.tenant, s.budget): msgspec.structs.replace(s, at=epoch) for s in statuses}
        changed = [s for s in statuses if self._written.get(k := (s.tenant, s.budget)) != timeless[k]]
        self._insert([(s, s.standing, s.at, encoder.encode(s).decode()) for s in changed])
        self._written |= timeless

    def remove(self, statuses: Sequence[BudgetStatus], at: datetime) -> None:
        """Write that budgets are no longer in the catalog."""
        self._insert([(s, "removed", at, "{}") for s in statuses])
        for s in statuses:
            self._written.pop((s.tenant, s.budget), None)

    def _insert(self, rows: Sequence[tuple[BudgetStatus, str, datetime, str]]) -> None:
        lines = [
            {"tenant": s.tenant, "budget": s.budget, "standing": standing, "at": at, "body": body}
            for s, standing, at, body in rows
        ]
        if lines:
            self._clickhouse.insert_json_lines("budget_status", encoder.encode_lines(lines))
