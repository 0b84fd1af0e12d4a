"""Alerts as other systems want them: PagerDuty's Events API v2, and the webhook body of Alertmanager."""

from collections.abc import Sequence
from datetime import timedelta

from outlay_alerter.domain.delivery import Envelope, rfc3339
from outlay_schemas.alerts import Alert, Severity, State

_ACTIONS: dict[State, str] = {"firing": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
_RANK: dict[Severity, int] = {"info": 0, "warning": 1, "critical": 2}
_SUMMARY = 1024
"""Characters that PagerDuty takes for a summary."""
_LISTED = 50
"""Alerts of a storm that are listed."""
_LONGEST = timedelta(days=8)
"""How long an Alertmanager keeps an alert of which nothing more is heard; what fires on is told again before."""
_NEVER = "0001-01-01T00:00:00Z"
"""How Alertmanager says that something is not over."""


def worth(alerts: Sequence[Alert], least: Severity) -> list[Alert]:
    """Return the alerts that are at least so bad."""
    return [alert for alert in alerts if _RANK[alert.severity] >= _RANK[least]]


def pagerduty(envelope: Envelope, alerts: Sequence[Alert], routing_key: str) -> dict[str, object]:
    """Return one event of PagerDuty. `dedup_key` is the alert's id; of a storm the message's.

    What was told in a storm is one incident, and its end is not told one by one.
    """
    first, single = max(alerts, key=lambda a: (a.state == "firing", _RANK[a.severity])), len(alerts) == 1
    title = first.title if single else f"{len(alerts):,} alerts at once, such as: {first.title}"
    details: dict[str, object] = {"alerts": [a.title[:300] for a in alerts[:_LISTED]], "count": len(alerts)}
    if single:
        details = {
            "summary": first.summary, "actual": f"{first.actual} {first.unit}", "expected": first.expected,
            "impact_usd": first.impact, "effects_usd": {e.kind: e.cost for e in first.effects},
            "scope": first.scope, "facts": first.facts, "query": first.query,
        }  # fmt: skip
    event: dict[str, object] = {
        "routing_key": routing_key,
        "event_action": _ACTIONS[first.state],
        "dedup_key": first.id if single else envelope.id,
        "payload": {
            "summary": title[:_SUMMARY], "source": f"outlay/{first.tenant}", "severity": first.severity,
            "timestamp": rfc3339(first.at), "component": first.rule, "group": first.tenant,
            "class": first.rule_type, "custom_details": details,
        },
    }  # fmt: skip
    if first.link:
        event["links"] = [{"href": first.link, "text": "Open in Outlay"}]
    return event


def alertmanager(envelope: Envelope) -> dict[str, object]:
    """Return the body that Alertmanager sends to a webhook receiver, version 4."""
    alerts = [_prometheus(alert) for alert in envelope.alerts]
    firing = any(alert["status"] == "firing" for alert in alerts)
    labels = [_labels(alert) for alert in envelope.alerts]
    common = {k: v for k, v in labels[0].items() if all(other.get(k) == v for other in labels)}
    return {
        "version": "4",
        "groupKey": f"outlay:{envelope.id}",
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "outlay",
        "groupLabels": {k: common[k] for k in ("alertname", "tenant") if k in common},
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": envelope.alerts[0].link,
        "alerts": alerts,
    }


def alertmanager_api(envelope: Envelope) -> list[dict[str, object]]:
    """Return what `POST /api/v2/alerts` of an Alertmanager takes (its OpenAPI document, `postableAlerts`).

    What is told once fires until it is told that it is over, so that no end is left to the Alertmanager's
    `resolve_timeout`: it ends by itself after a while only in case its end is never heard of.
    """
    found = []
    for alert in envelope.alerts:
        made = _prometheus(alert)
        del made["status"], made["fingerprint"]
        if alert.state != "resolved":
            made["endsAt"] = rfc3339(alert.at + _LONGEST)
        if not alert.link:
            del made["generatorURL"]
        found.append(made)
    return found


def _labels(alert: Alert) -> dict[str, str]:
    named = {k: v if isinstance(v, str) else "|".join(v) for k, v in alert.scope.items()}
    own = {"alertname": alert.rule, "severity": alert.severity, "tenant": alert.tenant, "level": alert.level}
    return {**named, **own, "rule_type": alert.rule_type}


def _prometheus(alert: Alert) -> dict[str, object]:
    over = alert.state == "resolved"
    notes = {"title": alert.title, "summary": alert.summary, "actual": alert.actual, "query": alert.query}
    return {
        "status": "resolved" if over else "firing",
        "labels": _labels(alert),
        "annotations": notes | ({"expected": alert.expected} if alert.expected is not None else {}),
        "startsAt": rfc3339(alert.window if over else alert.at),
        "endsAt": rfc3339(alert.at) if over else _NEVER,
        "generatorURL": alert.link,
        "fingerprint": alert.id[:16],
    }
