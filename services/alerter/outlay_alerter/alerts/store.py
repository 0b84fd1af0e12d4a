"""The state of alerts, and what people did with them, in ClickHouse."""

# ruff: noqa: S608 (only conditions of our own are pasted)

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from outlay_alerter.alerts.states import UNTIL, AlertRecord, Key, StoredState, message_id
from outlay_alerter.notify.outbox import Outbox
from outlay_alerter.notify.routing import deliveries
from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.alert_list import STANDS, AlertList, alert_statement
from outlay_reports.incidents import Incident, incidents
from outlay_schemas.alerts import Alert, AlertAction, alert_decoder
from outlay_schemas.events import encoder

_STATED = alert_statement(
    "startsWith(id, {start:String}) AND (state != 'resolved' OR ended_reason = 'expected')"
)
Router = Callable[[Alert, Collection[str]], Mapping[str, datetime]]
"""Returns the catalog's channels for an alert, and when each is due; given the channels that know its incident."""


def no_route(alert: Alert, notified: Collection[str]) -> Mapping[str, datetime]:
    """Route an alert to no channel of the catalog."""
    return {}


@dataclass(frozen=True, slots=True)
class AlertUpdate:
    """A new version of an alert to store. `notified`: whether people were notified that it fires."""

    alert: Alert
    seq: int
    state: StoredState
    notified: bool = True


class Store:
    """Every method raises Retryable when ClickHouse is unavailable."""

    def __init__(self, clickhouse: ClickHouseClient) -> None:
        self.clickhouse, self.outbox = clickhouse, Outbox(clickhouse)

    def known(self, tenant: str) -> dict[str, AlertRecord]:
        """Return a tenant's alerts that are open, belong to an open incident, or were marked as expected."""
        open_ = "SELECT incident FROM alerts FINAL WHERE tenant = {tenant:String} AND state != 'resolved'"
        return self._records(
            tenant, f"state != 'resolved' OR ended_reason = 'expected' OR meant OR incident IN ({open_})", {}
        )

    def known_of(self, tenant: str, ids: Sequence[str]) -> dict[str, AlertRecord]:
        """Return these alerts, open or not."""
        return self._records(tenant, "id IN {ids:Array(String)}", {"ids": list(ids)}) if ids else {}

    def _records(self, tenant: str, where: str, bound: dict[str, object]) -> dict[str, AlertRecord]:
        expected = (
            "SELECT target FROM alert_actions FINAL WHERE tenant = {tenant:String} AND action = 'expected'"
            " AND (until IS NULL OR until > at)"
        )
        rows = self.clickhouse.rows(
            "SELECT id, rule, state, ended_reason, seq, notified, toUnixTimestamp(window) AS at,"
            " toUnixTimestamp64Milli(decided_at) AS decided, body,"
            f" (id IN ({expected}) OR incident IN ({expected})) AS meant"
            f" FROM alerts FINAL WHERE tenant = {{tenant:String}} AND ({where})",
            {"tenant": tenant, **bound},
        )
        return {row["id"]: _record(tenant, row) for row in rows}

    def decide(
        self, updates: Sequence[AlertUpdate], channels: Sequence[str], route: Router = no_route
    ) -> None:
        """Write messages of one tenant, then states. After a crash between the two the same ids are decided again.

        `channels` send them now; `route` returns the others, and when they do. The demo's
        alerts are written for the built-in channels only.
        """
        changed = [u.alert for u in updates if u.alert.incident and u.alert.incident.state != "firing"]
        tenant = updates[0].alert.tenant if updates else ""
        notified = self.outbox.channels(tenant, [alert.incident_id for alert in changed])
        messages, states = list[dict[str, object]](), list[dict[str, object]]()
        for u in updates:
            alert, body, ended = u.alert, encoder.encode(u.alert).decode(), u.state in ("expected", "ended")
            incident = alert.incident.id if alert.incident else ""
            due = deliveries(alert, channels, route(alert, notified.get(incident, ())))
            messages += [
                {"tenant": tenant, "message_id": message_id(alert.id, u.seq), "incident": incident, "channel": channel,
                 "body": body, "due_at": at, "created_at": alert.at}
                for channel, at in due.items()
            ]  # fmt: skip
            states.append(
                {"tenant": tenant, "id": alert.id, "incident": alert.incident_id, "rule": alert.rule,
                 "state": "resolved" if ended else u.state, "ended_reason": u.state if ended else "", "seq": u.seq,
                 "window": alert.window, "decided_at": alert.at, "notified": u.notified, "body": body}
            )  # fmt: skip
        self.outbox.add(messages)
        self._insert("alerts", states)

    def stated(self, start: str) -> list[tuple[Alert, str]]:
        """Return the open or expected alerts whose id begins with `start`, each with its state."""
        return self.listed(start).alerts

    def listed(self, start: str) -> AlertList:
        """Return the incidents of the open or expected alerts whose id begins with `start`."""
        return AlertList.of(self.clickhouse.rows(_STATED, {"start": start, "limit": 1_000_000}))

    def incident(self, tenant: str, name: str) -> Incident | None:
        """Return an incident of a tenant by its id, the newest if it was opened several times; None: it has none."""
        rows = self.clickhouse.rows(
            f"SELECT {STANDS}, body FROM alerts FINAL"
            " WHERE tenant = {tenant:String} AND incident = {incident:String} AND state != 'pending'",
            {"tenant": tenant, "incident": name},
        )
        found = incidents((alert_decoder.decode(row["body"]), row["stands"]) for row in rows)
        return found[0] if found else None

    def actions(self, tenant: str) -> list[AlertAction]:
        """Return the newest action of each kind on each target of a tenant."""
        rows = self.clickhouse.rows(
            "SELECT target, action, comment, actor, toUnixTimestamp64Milli(at) AS taken,"
            " toUnixTimestamp64Milli(ifNull(until, toDateTime64(0, 3, 'UTC'))) AS until"
            " FROM alert_actions FINAL WHERE tenant = {tenant:String}",
            {"tenant": tenant},
        )
        return [
            AlertAction(
                tenant, r["target"], r["action"], _time(r["taken"]), _time(r["until"]) if r["until"] else None,
                r["comment"], r["actor"],
            )
            for r in rows
        ]  # fmt: skip

    def newest_action(self) -> int:
        """Return the time of the newest action in milliseconds; 0: no one did anything yet."""
        (row,) = self.clickhouse.rows("SELECT toUnixTimestamp64Milli(max(at)) AS at FROM alert_actions")
        return int(row["at"])

    def _insert(self, table: str, rows: Sequence[dict[str, object]]) -> None:
        if rows:
            self.clickhouse.insert_json_lines(table, encoder.encode_lines(rows))


def _record(tenant: str, row: Mapping[str, Any]) -> AlertRecord:
    alert = alert_decoder.decode(row["body"])
    scope = alert.scope_values
    window, until = datetime.fromtimestamp(row["at"], UTC), alert.facts.get("until")
    return AlertRecord(
        row["id"], row["rule"], row["ended_reason"] or row["state"], row["seq"], window, _time(row["decided"]),
        row["notified"], Key(tenant, row["rule"], scope, window, alert.level).line(), scope,
        until=datetime.strptime(until, UNTIL).replace(tzinfo=UTC) if until else None,
        expected=bool(row["meant"]), alert=alert,
    )  # fmt: skip


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
