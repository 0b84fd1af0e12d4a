"""The state of alerts and the outbox, in ClickHouse."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from outlay_alerter.domain.states import Known
from outlay_kit.warehouse import Warehouse
from outlay_schemas.alerts import Alert
from outlay_schemas.events import encoder


class Store:
    """Reads and writes what was decided and what was told."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse

    def known(self, tenant: str) -> dict[str, Known]:
        """Return the newest state of a tenant's alerts."""
        rows = self._warehouse.rows(
            "SELECT id, rule, state, seq, toUnixTimestamp(window) AS at FROM alerts FINAL"
            " WHERE tenant = {tenant:String}",
            {"tenant": tenant},
        )
        return {
            r["id"]: Known(r["id"], r["rule"], r["state"], r["seq"], datetime.fromtimestamp(r["at"], UTC))
            for r in rows
        }

    def decide(self, told: Sequence[tuple[Alert, int, str]], channels: Sequence[str]) -> None:
        """Write messages, then states: a crash between the two decides the same again, under the same ids."""
        outbox = [
            {"tenant": a.tenant, "message_id": message, "channel": channel, "body": encoder.encode(a).decode(),
             "sent": False, "attempt": 0, "created_at": a.at}
            for a, _, message in told
            for channel in channels
        ]  # fmt: skip
        states = [
            {"tenant": a.tenant, "id": a.id, "rule": a.rule, "state": a.state, "seq": seq, "window": a.window,
             "body": encoder.encode(a).decode()}
            for a, seq, _ in told
        ]  # fmt: skip
        self._insert("alert_outbox", outbox)
        self._insert("alerts", states)

    def unsent(self, limit: int = 1000) -> list[dict[str, Any]]:
        """Return messages that are still to be told, the oldest first."""
        return self._warehouse.rows(
            "SELECT tenant, message_id, channel, body, attempt, toString(created_at) AS created FROM alert_outbox"
            " FINAL WHERE NOT sent ORDER BY created_at, message_id LIMIT {n:UInt32}",
            {"n": limit},
        )

    def mark(self, rows: Sequence[dict[str, Any]]) -> None:
        """Note that these were told."""
        self._insert(
            "alert_outbox",
            [
                {**{k: r[k] for k in ("tenant", "message_id", "channel", "body")}, "sent": True,
                 "attempt": r["attempt"] + 1, "created_at": r["created"]}
                for r in rows
            ],
        )  # fmt: skip

    def _insert(self, table: str, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self._warehouse.insert_json_lines(table, b"\n".join(encoder.encode(row) for row in rows))
