"""The outbox in ClickHouse: messages to send, each attempt, and endpoints that are disabled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from outlay_alerter.notify.notification import DeliveryResult, Notification, OutboxMessage, SentAlert
from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.alerts import Alert, Incident, alert_decoder
from outlay_schemas.events import encoder

LISTED = 1000
"""Rows that people get at most."""
_MESSAGES = (
    "SELECT toString(created_at, 'UTC') AS decided, channel, tenant, message_id AS message, attempt AS tries,"
    " toString(due_at, 'UTC') AS due, reason FROM alert_outbox FINAL WHERE state = {state:String}"
    " AND created_at >= toDateTime64({since:Float64}, 3, 'UTC')"
    " AND ({channel:String} = '' OR channel = {channel:String})"
    " ORDER BY created_at DESC, channel, message_id LIMIT {n:UInt32}"
)
_ATTEMPTS = (
    "SELECT toString(at, 'UTC') AS at, channel, tenant, message_id AS message, messages, attempt, outcome,"
    " status, took_ms, reason"
    " FROM alert_deliveries AS d WHERE d.at >= toDateTime64({since:Float64}, 3, 'UTC')"
    " AND ({channel:String} = '' OR channel = {channel:String})"
    " ORDER BY d.at DESC, channel, message_id LIMIT {n:UInt32}"
)


@dataclass(frozen=True, slots=True)
class Thread:
    """A message that others answer to."""

    place: str
    """The channel's own name for where it is."""
    ts: str
    """Its id there."""
    alone: bool
    """Whether it is about one incident only, so that it can be updated."""


class Outbox:
    """Every method raises Retryable when ClickHouse is unavailable."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse

    def close(self) -> None:
        """Close the connection."""
        self._clickhouse.close()

    def add(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Add messages, as rows of the table."""
        self._insert("alert_outbox", rows)

    def post(
        self, name: str, channels: Sequence[str], tenant: str, body: bytes, at: datetime, *,
        state: str = "waiting", reason: str = "",
    ) -> None:  # fmt: skip
        """Add a message for each channel. Repeating it changes nothing."""
        row = {"tenant": tenant, "message_id": name, "body": body.decode(), "state": state, "reason": reason}
        self.add([{**row, "channel": channel, "due_at": at, "created_at": at} for channel in channels])

    def has(self, prefix: str) -> bool:
        """Return whether there is a message whose id starts with `prefix`, in any state."""
        sql = "SELECT 1 FROM alert_outbox WHERE startsWith(message_id, {prefix:String}) LIMIT 1"
        return bool(self._clickhouse.rows(sql, {"prefix": prefix}))

    def due(self, channel: str, now: datetime, limit: int = 2000) -> list[OutboxMessage]:
        """Return the messages that a channel must send now, the oldest first."""
        rows = self._clickhouse.rows(
            "SELECT tenant, message_id, channel, body, incident, attempt, version, batch_id,"
            " toString(created_at) AS created"
            " FROM alert_outbox FINAL WHERE channel = {channel:String} AND state = 'waiting'"
            " AND due_at <= toDateTime64({now:String}, 3, 'UTC')"
            " ORDER BY created_at, tenant, message_id LIMIT {n:UInt32}",
            {"channel": channel, "now": f"{now:%Y-%m-%d %H:%M:%S.%f}"[:-3], "n": limit},
        )
        return [OutboxMessage(**row) for row in rows]

    def next_due(self, channel: str) -> datetime | None:
        """Return when the next message that waits for a channel is due, which may be past; None: none waits."""
        (row,) = self._clickhouse.rows(
            "SELECT count() AS waiting, toUnixTimestamp64Milli(min(due_at)) AS due FROM alert_outbox FINAL"
            " WHERE channel = {channel:String} AND state = 'waiting'",
            {"channel": channel},
        )
        return datetime.fromtimestamp(row["due"] / 1000, UTC) if row["waiting"] else None

    def store_batches(self, messages: Sequence[OutboxMessage]) -> None:
        """Store the batch of each message."""
        self.add([_row(message) for message in messages])

    def record(
        self, notification: Notification, channel: str, result: DeliveryResult, *,
        due: datetime, began: datetime, ended: datetime,
    ) -> None:  # fmt: skip
        """Store an attempt, and the state of each message after it; `due`: when the next one is due, if any."""
        outcome, attempt, reason = result.outcome, notification.attempt + 1, result.reason
        state = "waiting" if outcome == "retry" else outcome
        after = {"state": state, "attempt": attempt, "due_at": due, "reason": reason}
        self.add([{**_row(m), "version": m.version + 1, **after} for m in notification.messages])
        row = {
            "at": ended, "tenant": notification.messages[0].tenant, "channel": channel,
            "message_id": notification.id, "messages": len(notification.messages), "attempt": attempt,
            "outcome": outcome, "status": result.status, "reason": reason,
            "took_ms": int((ended - began).total_seconds() * 1000),
        }  # fmt: skip
        self._insert("alert_deliveries", [row])

    def incidents(self, tenant: str, messages: Sequence[str]) -> dict[str, Incident]:
        """Return the incident of each alert that these messages hold."""
        if not messages:
            return {}
        rows = self._clickhouse.rows(
            "SELECT body FROM alert_outbox FINAL WHERE tenant = {tenant:String}"
            " AND message_id IN {ids:Array(String)}",
            {"tenant": tenant, "ids": list(messages)},
        )
        found = (alert_decoder.decode(row["body"]) for row in rows)
        return {alert.id: alert.incident for alert in found if alert.incident is not None}

    def channels(self, tenant: str, incidents: Sequence[str]) -> dict[str, set[str]]:
        """Return the channels that have messages of each incident."""
        if not incidents:
            return {}
        rows = self._clickhouse.rows(
            "SELECT incident, groupUniqArray(channel) AS channels FROM alert_outbox"
            " WHERE tenant = {tenant:String} AND incident IN {ids:Array(String)} GROUP BY incident",
            {"tenant": tenant, "ids": list(incidents)},
        )
        return {row["incident"]: set(row["channels"]) for row in rows}

    def sent(self, channel: str, incidents: Sequence[str]) -> dict[str, list[SentAlert]]:
        """Return what a channel was sent about each incident."""
        if not incidents:
            return {}
        rows = self._clickhouse.rows(
            "SELECT incident, body, toString(created_at) AS created FROM alert_outbox FINAL"
            " WHERE channel = {channel:String} AND state = 'sent' AND incident IN {ids:Array(String)}",
            {"channel": channel, "ids": list(incidents)},
        )
        found: dict[str, list[SentAlert]] = {}
        for row in rows:
            alert: Alert = alert_decoder.decode(row["body"])
            if alert.incident is not None:
                at = datetime.fromisoformat(row["created"]).replace(tzinfo=UTC)
                found.setdefault(row["incident"], []).append(SentAlert(alert, alert.incident, at))
        return found

    def disabled(self, channel: str, target: str) -> str:
        """Return why an endpoint is disabled; empty: it is not."""
        rows = self._clickhouse.rows(
            "SELECT reason FROM alert_endpoints FINAL WHERE channel = {channel:String}"
            " AND target = {target:String} AND disabled",
            {"channel": channel, "target": target},
        )
        return str(rows[0]["reason"]) if rows else ""

    def disable(self, channel: str, target: str, reason: str, at: datetime) -> None:
        """Stop sending to an endpoint. Another address of the channel is another endpoint."""
        row = {"channel": channel, "target": target, "disabled": True, "reason": reason, "at": at}
        self._insert("alert_endpoints", [row])

    def thread(self, channel: str, incident: str) -> Thread | None:
        """Return the first message of an incident; None: it has none. Raises Retryable."""
        rows = self._clickhouse.rows(
            "SELECT place, ts, alone FROM alert_threads FINAL WHERE channel = {c:String} AND alert = {a:String}",
            {"c": channel, "a": incident},
        )
        return Thread(rows[0]["place"], rows[0]["ts"], bool(rows[0]["alone"])) if rows else None

    def remember_thread(self, channel: str, incidents: Sequence[str], thread: Thread) -> None:
        """Note the first message of incidents. Raises Retryable."""
        row = {"channel": channel, "place": thread.place, "ts": thread.ts, "alone": thread.alone}
        self._insert("alert_threads", [{**row, "alert": incident} for incident in incidents])

    def attempts(self, channel: str, since: datetime) -> Sequence[dict[str, object]]:
        """Return the attempts since then, the newest first, of one channel or all (empty): no body, no secret."""
        return self._clickhouse.rows(_ATTEMPTS, _bound(channel, since))

    def messages(self, state: str, channel: str, since: datetime) -> Sequence[dict[str, object]]:
        """Return the messages in a state, the newest first, of one channel or all (empty): no body, no secret."""
        return self._clickhouse.rows(_MESSAGES, _bound(channel, since) | {"state": state})

    def _insert(self, table: str, rows: Sequence[Mapping[str, object]]) -> None:
        if rows:
            self._clickhouse.insert_json_lines(table, encoder.encode_lines(rows))


def _row(message: OutboxMessage) -> dict[str, object]:
    return {
        "tenant": message.tenant, "message_id": message.message_id, "channel": message.channel,
        "incident": message.incident, "body": message.body, "state": "waiting", "attempt": message.attempt,
        "version": message.version, "batch_id": message.batch_id, "due_at": message.created,
        "created_at": message.created,
    }  # fmt: skip


def _bound(channel: str, since: datetime) -> dict[str, object]:
    return {"channel": channel, "since": since.timestamp(), "n": LISTED}
