"""Incidents as other systems want them: PagerDuty's Events API v2, and the webhook body of Alertmanager."""

import re
from collections.abc import Sequence
from datetime import timedelta

from outlay_alerter.notify.notification import Notification, rfc3339
from outlay_reports.alert_text import AlertText, main_of, text_of
from outlay_schemas.alerts import Alert, State

_ACTIONS: dict[State, str] = {"firing": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
_SUMMARY = 1024
"""Characters that PagerDuty takes for a summary."""
_LISTED = 50
"""Alerts of a storm that are listed."""
_LONGEST = timedelta(days=8)
"""How long an Alertmanager keeps an alert of which nothing more is heard; what fires on is told again before."""
_NEVER = "0001-01-01T00:00:00Z"
"""How Alertmanager says that something is not over."""


def pagerduty(notification: Notification, routing_key: str) -> dict[str, object]:
    """Return one event of PagerDuty. `dedup_key` is the incident's id; of a storm the message's.

    What was told in a storm is one incident there, and its end is not told one by one.
    """
    alerts = notification.story
    text, main, single = text_of(alerts), main_of(alerts), len({a.incident_id for a in alerts}) == 1
    details: dict[str, object] = {"alerts": [a.title[:300] for a in alerts[:_LISTED]], "count": len(alerts)}
    if isinstance(text, AlertText):
        details = {
            "summary": text.summary, "amounts": text.amounts, "actual": f"{main.actual} {main.unit}",
            "expected": main.expected, "effects_usd": {e.kind: e.cost for e in main.effects},
            "contributors": dict(text.contributors), "alerts": [part for _, part in text.parts], "scope": main.scope,
            "facts": main.facts, "query": main.query,
        }  # fmt: skip
    title = text.title if isinstance(text, AlertText) else f"{text.headline}, such as: {main.title}"
    event: dict[str, object] = {
        "routing_key": routing_key,
        "event_action": _ACTIONS[main.state],
        "dedup_key": main.incident_id if single else notification.id,
        "payload": {
            "summary": title[:_SUMMARY], "source": f"outlay/{main.tenant}", "severity": main.severity,
            "timestamp": rfc3339(main.at), "component": main.rule, "group": main.tenant,
            "class": main.rule_type, "custom_details": details,
        },
    }  # fmt: skip
    if main.link:
        event["links"] = [{"href": main.link, "text": "Open in Outlay"}]
    return event


def alertmanager(notification: Notification) -> dict[str, object]:
    """Return the body that Alertmanager sends to a webhook receiver, version 4."""
    stories = _incidents(notification.story)
    alerts = [_prometheus(story) for story in stories]
    firing = any(alert["status"] == "firing" for alert in alerts)
    labels = [_labels(story) for story in stories]
    common = {k: v for k, v in labels[0].items() if all(other.get(k) == v for other in labels)}
    return {
        "version": "4",
        "groupKey": f"outlay:{notification.id}",
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "outlay",
        "groupLabels": {k: common[k] for k in ("alertname", "tenant") if k in common},
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": notification.alerts[0].link,
        "alerts": alerts,
    }


def alertmanager_api(notification: Notification) -> list[dict[str, object]]:
    """Return what `POST /api/v2/alerts` of an Alertmanager takes (its OpenAPI document, `postableAlerts`).

    What fires lasts until its end is sent, so that no end is left to the Alertmanager's `resolve_timeout`: it ends by
    itself after a while only in case its end never comes. An incident that got worse has other labels: it ends under
    the labels that it had.
    """
    found = []
    for story in _incidents(notification.story):
        made = _prometheus(story)
        del made["status"], made["fingerprint"]
        main = main_of(story)
        if main.state != "resolved":
            made["endsAt"] = rfc3339(main.at + _LONGEST)
        if not main.link:
            del made["generatorURL"]
        found.append(made)
        if notification.news == "escalated" and notification.before:
            found.append({**made, "labels": _labels(notification.before), "endsAt": rfc3339(main.at)})
    return found


def _incidents(alerts: Sequence[Alert]) -> list[list[Alert]]:
    found: dict[str, list[Alert]] = {}
    for alert in alerts:
        found.setdefault(alert.incident_id, []).append(alert)
    return list(found.values())


def _labels(story: Sequence[Alert]) -> dict[str, str]:
    """Return what makes an incident the same alert there: the alert that opened it, and the severity."""
    main = main_of(story)
    opener = next((alert for alert in story if alert.id == main.incident_id), main)
    named = {label_name(k): v if isinstance(v, str) else "|".join(v) for k, v in opener.scope.items()}
    own = {"alertname": opener.rule, "severity": main.severity, "tenant": main.tenant, "level": opener.level}
    return {**named, **own, "rule_type": opener.rule_type, "incident": main.incident_id[:16]}


def label_name(dimension: str) -> str:
    """Return a dimension as the name of a label: `tags_env` for `tags.env`."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", dimension)


def _prometheus(story: Sequence[Alert]) -> dict[str, object]:
    main, text = main_of(story), text_of(story)
    over = main.state == "resolved"
    started = main.incident.started_at if main.incident else main.started_at or main.window
    notes = {"title": main.title, "summary": main.summary, "actual": main.actual, "query": main.query}
    if isinstance(text, AlertText) and text.parts:
        notes["alerts"] = "\n".join(part for _, part in text.parts)
    return {
        "status": "resolved" if over else "firing",
        "labels": _labels(story),
        "annotations": notes | ({"expected": main.expected} if main.expected is not None else {}),
        "startsAt": rfc3339(min(started, main.at)),
        "endsAt": rfc3339(main.at) if over else _NEVER,
        "generatorURL": main.link,
        "fingerprint": main.incident_id[:16],
    }
