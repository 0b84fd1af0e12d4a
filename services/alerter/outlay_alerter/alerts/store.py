"""The state of alerts and the outbox, in ClickHouse."""

# ruff: noqa: S608 (what is pasted are conditions of our own)

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Key
from outlay_alerter.notify.incident_updates import Shown
from outlay_alerter.notify.notification import Notification, OutboxMessage
from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.budgets import BudgetStatus
from outlay_schemas.alerts import Alert, AlertAction, Incident, alert_decoder
from outlay_schemas.events import encoder

Router = Callable[[Alert, Collection[str]], Mapping[str, datetime]]
"""Which channels of the catalog get an alert, and when; of an incident that changes, those that know it, too."""


def no_route(alert: Alert, notified: Collection[str]) -> Mapping[str, datetime]:
    """Route an alert to no channel of the catalog."""
    return {}


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """What came of a try, and when the next one is due if its outcome is `later`."""

    channel: str
    outcome: str
    attempt: int
    due: datetime
    reason: str
    status: int
    at: datetime
    took_ms: int


@dataclass(frozen=True, slots=True)
class AlertUpdate:
    """An alert as it is told, and how it stands."""

    alert: Alert
    seq: int
    message: str
    """The id under which it is told."""
    state: str = ""
    """In which it is, if it is not what is told: pending."""
    ended_reason: str = ""
    """Why it is over for people, though the breach lasts: expected, ended."""
    notified: bool = True
    """Whether people were told that it fires."""


_status = msgspec.json.Decoder(BudgetStatus)


class Store:
    """Reads and writes what was decided and what was told."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self._clickhouse = clickhouse
        self._standing: dict[tuple[str, str], BudgetStatus] = {}

    def known(self, tenant: str) -> dict[str, AlertRecord]:
        """Return a tenant's alerts that are not over or belong to an incident that is not, and those expected."""
        open_ = "SELECT incident FROM alerts FINAL WHERE tenant = {tenant:String} AND state != 'resolved'"
        return self._known(
            tenant, f"state != 'resolved' OR ended_reason = 'expected' OR meant OR incident IN ({open_})", {}
        )

    def known_of(self, tenant: str, ids: Sequence[str]) -> dict[str, AlertRecord]:
        """Return the newest state of these alerts, over or not."""
        return self._known(tenant, "id IN {ids:Array(String)}", {"ids": list(ids)}) if ids else {}

    def _known(self, tenant: str, where: str, bound: dict[str, object]) -> dict[str, AlertRecord]:
        expected = (
            "SELECT target FROM alert_actions FINAL WHERE tenant = {tenant:String} AND action = 'expected'"
            " AND (until IS NULL OR until > at)"
        )
        rows = self._clickhouse.rows(
            "SELECT id, rule, state, ended_reason, seq, notified, toUnixTimestamp(window) AS at,"
            " toUnixTimestamp64Milli(decided_at) AS decided, body,"
            f" (id IN ({expected}) OR incident IN ({expected})) AS meant"
            f" FROM alerts FINAL WHERE tenant = {{tenant:String}} AND ({where})",
            {"tenant": tenant, **bound},
        )
        return {row["id"]: _known(tenant, row) for row in rows}

    def close(self) -> None:
        """Close the connection."""
        self._clickhouse.close()

    def decide(self, told: Sequence[AlertUpdate], channels: Sequence[str], routed: Router = no_route) -> None:
        """Write messages of one tenant, then states: a crash between the two decides the same, under the same ids.

        `channels` get them now; `routed` says which others do, and when.
        """
        changed = [
            _incident(d.alert) for d in told if d.alert.incident and d.alert.incident.state != "firing"
        ]
        notified = self.notified(told[0].alert.tenant, changed) if changed else {}
        outbox, states = list[dict[str, object]](), list[dict[str, object]]()
        for d in told:
            alert, body, incident = d.alert, encoder.encode(d.alert).decode(), _incident(d.alert)
            due = dict.fromkeys(channels, alert.at) | dict(routed(alert, notified.get(incident, ())))
            outbox += [
                {"tenant": alert.tenant, "message_id": d.message, "incident": incident, "channel": channel,
                 "body": body, "due_at": at, "created_at": alert.at}
                for channel, at in due.items()
            ]  # fmt: skip
            states.append(
                {"tenant": alert.tenant, "id": alert.id, "incident": incident or alert.id, "rule": alert.rule,
                 "state": d.state or alert.state, "ended_reason": d.ended_reason, "seq": d.seq, "window": alert.window,
                 "decided_at": alert.at, "notified": d.notified, "body": body}
            )  # fmt: skip
        self._insert("alert_outbox", outbox)
        self._insert("alerts", states)

    def decided(self, tenant: str, messages: Sequence[str]) -> dict[str, Incident]:
        """Return the incidents, by alert, of messages that are in the outbox already."""
        if not messages:
            return {}
        rows = self._clickhouse.rows(
            "SELECT body FROM alert_outbox FINAL WHERE tenant = {tenant:String}"
            " AND message_id IN {ids:Array(String)}",
            {"tenant": tenant, "ids": list(messages)},
        )
        found = (alert_decoder.decode(row["body"]) for row in rows)
        return {alert.id: alert.incident for alert in found if alert.incident is not None}

    def notified(self, tenant: str, incidents: Sequence[str]) -> dict[str, set[str]]:
        """Return which channels have messages of each incident."""
        rows = self._clickhouse.rows(
            "SELECT incident, groupUniqArray(channel) AS channels FROM alert_outbox"
            " WHERE tenant = {tenant:String} AND incident IN {ids:Array(String)} GROUP BY incident",
            {"tenant": tenant, "ids": list(incidents)},
        )
        return {row["incident"]: set(row["channels"]) for row in rows}

    def shown(self, channel: str, incidents: Sequence[str]) -> dict[str, list[Shown]]:
        """Return what a channel was sent of each incident."""
        if not incidents:
            return {}
        rows = self._clickhouse.rows(
            "SELECT incident, body, toString(created_at) AS created FROM alert_outbox FINAL"
            " WHERE channel = {channel:String} AND state = 'sent' AND incident IN {ids:Array(String)}",
            {"channel": channel, "ids": list(incidents)},
        )
        found: dict[str, list[Shown]] = {}
        for row in rows:
            alert = alert_decoder.decode(row["body"])
            if alert.incident is not None:
                at = datetime.fromisoformat(row["created"]).replace(tzinfo=UTC)
                found.setdefault(row["incident"], []).append(Shown(alert, alert.incident, at))
        return found

    def bodies(self, tenant: str, ids: Sequence[str]) -> dict[str, Alert]:
        """Return alerts as they were told last."""
        rows = self._clickhouse.rows(
            "SELECT id, body FROM alerts FINAL WHERE tenant = {tenant:String} AND id IN {ids:Array(String)}",
            {"tenant": tenant, "ids": list(ids)},
        )
        return {row["id"]: alert_decoder.decode(row["body"]) for row in rows}

    def stated(self, start: str) -> list[tuple[Alert, str]]:
        """Return the alerts that are not over whose id begins with `start`, and the state of each."""
        rows = self._clickhouse.rows(
            "SELECT if(ended_reason = '', state, ended_reason) AS stands, body FROM alerts FINAL"
            " WHERE startsWith(id, {start:String}) AND (state != 'resolved' OR ended_reason = 'expected')",
            {"start": start},
        )
        return [(alert_decoder.decode(row["body"]), row["stands"]) for row in rows]

    def say(self, words: Sequence[AlertAction]) -> None:
        """Write down what people say; the alerter heeds it within seconds."""
        self._insert("alert_actions", [msgspec.to_builtins(word) for word in words])

    def words(self, tenant: str) -> list[AlertAction]:
        """Return what people said about a tenant's alerts: the newest of each kind about each."""
        rows = self._clickhouse.rows(
            "SELECT target, action, comment, actor, toUnixTimestamp64Milli(at) AS said,"
            " toUnixTimestamp64Milli(ifNull(until, toDateTime64(0, 3, 'UTC'))) AS until"
            " FROM alert_actions FINAL WHERE tenant = {tenant:String}",
            {"tenant": tenant},
        )
        return [
            AlertAction(
                tenant, r["target"], r["action"], _moment(r["said"]), _moment(r["until"]) if r["until"] else None,
                r["comment"], r["actor"],
            )
            for r in rows
        ]  # fmt: skip

    def newest_word(self) -> int:
        """Return when the newest word was said, in milliseconds; 0: none was."""
        (row,) = self._clickhouse.rows("SELECT toUnixTimestamp64Milli(max(at)) AS at FROM alert_actions")
        return int(row["at"])

    def standing(self) -> list[BudgetStatus]:
        """Return how budgets stood when they were last written, those that were removed left out."""
        rows = self._clickhouse.rows("SELECT body FROM budget_status FINAL WHERE standing != 'removed'")
        return [_status.decode(row["body"]) for row in rows]

    def remove(self, gone: Sequence[BudgetStatus], at: datetime) -> None:
        """Write that budgets are no longer in the catalog."""
        rows = [
            {"tenant": s.tenant, "budget": s.budget, "standing": "removed", "at": at, "body": "{}"}
            for s in gone
        ]
        self._insert("budget_status", list[dict[str, object]](rows))
        for s in gone:
            self._standing.pop((s.tenant, s.budget), None)

    def stand(self, standing: Sequence[BudgetStatus]) -> None:
        """Write how budgets stand, those that changed."""
        fresh = [s for s in standing if self._standing.get((s.tenant, s.budget)) != _same(s)]
        rows = [
            {"tenant": s.tenant, "budget": s.budget, "standing": s.standing, "at": s.at,
             "body": encoder.encode(s).decode()}
            for s in fresh
        ]  # fmt: skip
        self._insert("budget_status", list[dict[str, object]](rows))
        self._standing |= {(s.tenant, s.budget): _same(s) for s in fresh}

    def due(self, channel: str, now: datetime, limit: int = 2000) -> list[OutboxMessage]:
        """Return what is to be told by a channel now, the oldest first."""
        rows = self._clickhouse.rows(
            "SELECT tenant, message_id, channel, body, incident, attempt, version, batch_id,"
            " toString(created_at) AS created"
            " FROM alert_outbox FINAL WHERE channel = {channel:String} AND state = 'waiting'"
            " AND due_at <= toDateTime64({now:String}, 3, 'UTC')"
            " ORDER BY created_at, tenant, message_id LIMIT {n:UInt32}",
            {"channel": channel, "now": f"{now:%Y-%m-%d %H:%M:%S.%f}"[:-3], "n": limit},
        )
        return [OutboxMessage(**row) for row in rows]

    def told(self, start: str) -> bool:
        """Tell whether a message whose id begins so was decided, whatever became of it."""
        found = self._clickhouse.rows(
            "SELECT 1 FROM alert_outbox WHERE startsWith(message_id, {start:String}) LIMIT 1",
            {"start": start},
        )
        return bool(found)

    def post(
        self, name: str, channels: Sequence[str], tenant: str, body: bytes, at: datetime, *,
        state: str = "waiting", reason: str = "",
    ) -> None:  # fmt: skip
        """Put a message into the outbox. Repeating it changes nothing: `at` is the same each time, as the id is."""
        rows = [
            {"tenant": tenant, "message_id": name, "channel": channel, "body": body.decode(), "state": state,
             "reason": reason, "due_at": at, "created_at": at}
            for channel in channels
        ]  # fmt: skip
        self._insert("alert_outbox", list[dict[str, object]](rows))

    def write(self, messages: Sequence[OutboxMessage]) -> None:
        """Note in which bundle each message goes."""
        self._insert("alert_outbox", [_row(message) for message in messages])

    def tried(self, notification: Notification, tried: DeliveryAttempt) -> None:
        """Note what came of a try: in the log of tries, and for each message of the notification."""
        log = {
            "at": tried.at, "tenant": notification.messages[0].tenant, "channel": tried.channel,
            "message_id": notification.id, "messages": len(notification.messages), "attempt": tried.attempt,
            "outcome": tried.outcome, "status": tried.status, "reason": tried.reason, "took_ms": tried.took_ms,
        }  # fmt: skip
        state = {"retry": "waiting"}.get(tried.outcome, tried.outcome)
        after = {"state": state, "attempt": tried.attempt, "due_at": tried.due, "reason": tried.reason}
        self._insert(
            "alert_outbox", [{**_row(m), "version": m.version + 1, **after} for m in notification.messages]
        )
        self._insert("alert_deliveries", [log])

    def gone(self, channel: str, target: str) -> str:
        """Return why an endpoint is disabled; empty: it is not."""
        rows = self._clickhouse.rows(
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
            self._clickhouse.insert_json_lines(table, b"\n".join(encoder.encode(row) for row in rows))


def _known(tenant: str, row: Mapping[str, Any]) -> AlertRecord:
    alert = alert_decoder.decode(row["body"])
    scope = alert.scope_values
    window, until = datetime.fromtimestamp(row["at"], UTC), alert.facts.get("until")
    return AlertRecord(
        row["id"], row["rule"], row["ended_reason"] or row["state"], row["seq"], window, _moment(row["decided"]),
        row["notified"], Key(tenant, row["rule"], scope, window, alert.level).line(), scope,
        until=datetime.strptime(until, UNTIL).replace(tzinfo=UTC) if until else None,
        expected=bool(row["meant"]), alert=alert,
    )  # fmt: skip


def _incident(alert: Alert) -> str:
    return alert.incident.id if alert.incident else ""


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _same(status: BudgetStatus) -> BudgetStatus:
    """Return a status but for its time."""
    return msgspec.structs.replace(status, at=datetime.fromtimestamp(0, UTC))


def _row(message: OutboxMessage) -> dict[str, object]:
    return {
        "tenant": message.tenant, "message_id": message.message_id, "channel": message.channel,
        "incident": message.incident, "body": message.body, "state": "waiting", "attempt": message.attempt,
        "version": message.version, "batch_id": message.batch_id, "due_at": message.created,
        "created_at": message.created,
    }  # fmt: skip
