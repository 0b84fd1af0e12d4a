"""Writes what people do with alerts: the one way of the console, the command line and Slack."""

from collections.abc import Callable, Sequence
from functools import partial

from outlay_kit.audit import Entry
from outlay_kit.audit_store import store_entries
from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.alerts import AlertAction
from outlay_schemas.events import encoder

Audit = Callable[[Sequence[Entry]], object]
"""Keeps entries of the audit log. Raises Retryable: what cannot be audited is not done."""


def store_alert_actions(
    clickhouse: ClickHouseClient,
    actions: Sequence[AlertAction],
    *,
    actor: str = "",
    audit: Audit | None = None,
) -> None:
    """Write actions to the audit log, then for the alerter, which applies them within seconds. Raises Retryable.

    `actor` is who acts in the audit log; default: the actor of each action. `audit` keeps the entries elsewhere than in
    the table `audit_log`.
    """
    entries = [
        Entry(one.at, actor or one.actor, "alerts.act", one.target, _details(one), "") for one in actions
    ]
    (audit or partial(store_entries, clickhouse))(entries)
    if actions:
        clickhouse.insert_json_lines("alert_actions", encoder.encode_lines(actions))


def _details(action: AlertAction) -> dict[str, object]:
    details: dict[str, object] = {"tenant": action.tenant, "action": action.action, "note": action.comment}
    return details | ({"until": action.until.isoformat()} if action.until else {})
