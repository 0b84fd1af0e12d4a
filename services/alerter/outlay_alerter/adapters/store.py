"""The state of alerts and the outbox, in ClickHouse."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from outlay_alerter.domain.delivery import Envelope, Waiting
from outlay_alerter.domain.states import Known
from outlay_alerter.domain.status import Status
from outlay_kit.warehouse import Warehouse
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.events import encoder


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a try, and when the next one is due if its outcome is `later`."""

    channel: str
    outcome: str
    attempt: int
    due: datetime
    reason: str
    status: int
    at: datetime
    took_ms: int


class Store:
    """Reads and writes what was decided and what was told."""

    def __init__(self, warehouse: Warehouse) -> None:
        self._warehouse = warehouse
        self._standing: dict[tuple[str, str], Status] = {}

    def known(self, tenant: str) -> dict[str, Known]:
        """Return the newest state of a tenant's alerts."""
        rows = self._warehouse.rows(
            "SELECT id, rule, state, seq, toUnixTimestamp(window) AS at, toUnixTimestamp64Milli(told_at) AS told"
            " FROM alerts FINAL WHERE tenant = {tenant:String}",
            {"tenant": tenant},
        )
        return {
            r["id"]: Known(
                r["id"], r["rule"], r["state"], r["seq"], datetime.fromtimestamp(r["at"], UTC),
                datetime.fromtimestamp(r["told"] / 1000, UTC),
            )
            for r in rows
        }  # fmt: skip

    def decide(self, told: Sequence[tuple[Alert, int, str]], channels: Sequence[str]) -> None:
        """Write messages, then states: a crash between the two decides the same again, under the same ids."""
        outbox = [
            {"tenant": a.tenant, "message_id": message, "channel": channel, "body": encoder.encode(a).decode(),
             "due_at": a.at, "created_at": a.at}
            for a, _, message in told
            for channel in channels
        ]  # fmt: skip
        states = [
            {"tenant": a.tenant, "id": a.id, "rule": a.rule, "state": a.state, "seq": seq, "window": a.window,
             "told_at": a.at, "body": encoder.encode(a).decode()}
            for a, seq, _ in told
        ]  # fmt: skip
        self._insert("alert_messages", outbox)
        self._insert("alerts", states)

    def acknowledge(self, start: str, note: str, at: datetime) -> Alert | None:
        """Note that somebody has the alert in hand whose id begins with `start`, and let its channels tell.

        Returns it; None: no such alert fires, or several do.
        """
        rows = self._warehouse.rows(
            "SELECT id, seq, body FROM alerts FINAL WHERE startsWith(id, {start:String}) AND state = 'firing'",
            {"start": start},
        )
        if len(rows) != 1:
            return None
        alert, seq = alert_decoder.decode(rows[0]["body"]), rows[0]["seq"] + 1
        facts = {**alert.facts, "acknowledged": note} if note else alert.facts
        alert = msgspec.structs.replace(alert, state="acknowledged", at=at, facts=facts)
        channels = self._warehouse.rows(
            "SELECT DISTINCT channel FROM alert_messages WHERE startsWith(message_id, {message:String})",
            {"message": f"msg_{alert.id}_"},
        )
        self.decide([(alert, seq, f"msg_{alert.id}_{seq}")], [row["channel"] for row in channels])
        return alert

    def snoozes(self, tenant: str) -> dict[str, datetime]:
        """Return until when which alerts and rules of a tenant are left alone."""
        rows = self._warehouse.rows(
            "SELECT target, toUnixTimestamp64Milli(until) AS until FROM alert_snoozes FINAL"
            " WHERE tenant = {tenant:String}",
            {"tenant": tenant},
        )
        return {r["target"]: datetime.fromtimestamp(r["until"] / 1000, UTC) for r in rows}

    def snooze(self, tenant: str, target: str, *, until: datetime, note: str, at: datetime) -> None:
        """Leave an alert, or all of a rule, alone until then."""
        self._insert(
            "alert_snoozes", [{"tenant": tenant, "target": target, "until": until, "note": note, "at": at}]
        )

    def stand(self, standing: Sequence[Status]) -> None:
        """Write how budgets stand, those that changed."""
        fresh = [s for s in standing if self._standing.get((s.tenant, s.budget)) != _same(s)]
        rows = [
            {"tenant": s.tenant, "budget": s.budget, "standing": s.standing, "at": s.at,
             "body": encoder.encode(s).decode()}
            for s in fresh
        ]  # fmt: skip
        self._insert("budget_status", list[dict[str, object]](rows))
        self._standing |= {(s.tenant, s.budget): _same(s) for s in fresh}

    def due(self, channel: str, now: datetime, limit: int = 2000) -> list[Waiting]:
        """Return what is to be told by a channel now, the oldest first."""
        rows = self._warehouse.rows(
            "SELECT tenant, message_id, channel, body, attempt, step, bundle, toString(created_at) AS created"
            " FROM alert_messages FINAL WHERE channel = {channel:String} AND state = 'waiting'"
            " AND due_at <= toDateTime64({now:String}, 3, 'UTC')"
            " ORDER BY created_at, tenant, message_id LIMIT {n:UInt32}",
            {"channel": channel, "now": f"{now:%Y-%m-%d %H:%M:%S.%f}"[:-3], "n": limit},
        )
        return [Waiting(**row) for row in rows]

    def write(self, messages: Sequence[Waiting]) -> None:
        """Note in which bundle each message goes."""
        self._insert("alert_messages", [_row(message) for message in messages])

    def tried(self, envelope: Envelope, tried: Tried) -> None:
        """Note what came of a try: in the log of tries, and for each message of the envelope."""
        log = {
            "at": tried.at, "tenant": envelope.messages[0].tenant, "channel": tried.channel,
            "message_id": envelope.id, "messages": len(envelope.messages), "attempt": tried.attempt,
            "outcome": tried.outcome, "status": tried.status, "reason": tried.reason, "took_ms": tried.took_ms,
        }  # fmt: skip
        state = {"later": "waiting"}.get(tried.outcome, tried.outcome)
        after = {"state": state, "attempt": tried.attempt, "due_at": tried.due, "reason": tried.reason}
        self._insert("alert_messages", [{**_row(m), "step": m.step + 1, **after} for m in envelope.messages])
        self._insert("alert_deliveries", [log])

    def gone(self, channel: str, target: str) -> str:
        """Return why an endpoint is disabled; empty: it is not."""
        rows = self._warehouse.rows(
            "SELECT reason FROM alert_endpoints FINAL WHERE channel = {channel:String}"
            " AND target = {target:String} AND disabled",
            {"channel": channel, "target": target},
        )
        return str(rows[0]["reason"]) if rows else ""

    def disable(self, channel: str, target: str, reason: str, at: datetime) -> None:
        """Send nothing more to an endpoint. Another address of the channel is another endpoint."""
        row = {"channel": channel, "target": target, "disabled": True, "reason": reason, "at": at}
        self._insert("alert_endpoints", [row])

    def _insert(self, table: str, rows: Sequence[dict[str, object]]) -> None:
        if rows:
            self._warehouse.insert_json_lines(table, b"\n".join(encoder.encode(row) for row in rows))


def _same(status: Status) -> Status:
    """Return a status but for its time."""
    return msgspec.structs.replace(status, at=datetime.fromtimestamp(0, UTC))


def _row(message: Waiting) -> dict[str, object]:
    return {
        "tenant": message.tenant, "message_id": message.message_id, "channel": message.channel,
        "body": message.body, "state": "waiting", "attempt": message.attempt, "step": message.step,
        "bundle": message.bundle, "due_at": message.created, "created_at": message.created,
    }  # fmt: skip
