"""Alertmanager: its API, or any receiver of the webhook that it sends."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from outlay_alerter.notify.channel import Channel, ChannelContext, ChannelKind, HttpChannel
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import Notification, Outcome, rfc3339
from outlay_reports.alert_amounts import unpriced_text
from outlay_reports.alert_text import AlertText, by_incident, main_of, text_of
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog.channels import AlertmanagerChannel

_LONGEST = timedelta(days=8)
"""How long an Alertmanager keeps an alert without news of it; an alert that keeps firing is sent again before."""
_NEVER = "0001-01-01T00:00:00Z"
"""The `endsAt` of an alert that is still firing."""


class Alertmanager(HttpChannel):
    """Posts to any receiver what Alertmanager posts to its webhook receivers."""

    def render(self, notification: Notification) -> object:
        """Return the webhook body."""
        return alertmanager(notification)


class AlertmanagerApi(HttpChannel):
    """Puts alerts into an Alertmanager (`POST /api/v2/alerts`), which groups, silences and sends them."""

    results: ClassVar[Mapping[int, Outcome]] = {400: "failed"}

    def __init__(self, name: str, url: str, poster: HttpPoster) -> None:
        super().__init__(name, f"{url.rstrip('/')}/api/v2/alerts", poster)

    def render(self, notification: Notification) -> object:
        """Return the alerts (`postableAlerts` of its OpenAPI document).

        A firing alert lasts until its end is sent, so that `resolve_timeout` never ends it. An incident that got worse
        has other labels: it ends under its earlier labels.
        """
        found = []
        for group in by_incident(notification.content):
            made, main = _prometheus(group), main_of(group)
            del made["status"], made["fingerprint"]
            if main.state != "resolved":
                made["endsAt"] = rfc3339(main.at + _LONGEST)
            if not main.link:
                del made["generatorURL"]
            found.append(made)
            if notification.kind == "escalated" and notification.before:
                found.append({**made, "labels": _labels(notification.before), "endsAt": rfc3339(main.at)})
        return found


def alertmanager(notification: Notification) -> dict[str, object]:
    """Return the body that Alertmanager sends to a webhook receiver, version 4."""
    groups = by_incident(notification.content)
    alerts = [_prometheus(group) for group in groups]
    labels = [_labels(group) for group in groups]
    common = {k: v for k, v in labels[0].items() if all(other.get(k) == v for other in labels)}
    return {
        "version": "4",
        "groupKey": f"outlay:{notification.id}",
        "truncatedAlerts": 0,
        "status": "firing" if any(alert["status"] == "firing" for alert in alerts) else "resolved",
        "receiver": "outlay",
        "groupLabels": {k: common[k] for k in ("alertname", "tenant") if k in common},
        "commonLabels": common,
        "commonAnnotations": {},
        "externalURL": notification.alerts[0].link,
        "alerts": alerts,
    }


def label_name(dimension: str) -> str:
    """Return the label of a dimension: `tags_env` for `tags.env`."""
    return re.sub(r"[^a-zA-Z0-9_]", "_", dimension)


def _labels(group: Sequence[Alert]) -> dict[str, str]:
    """Return the labels that identify an incident: those of the alert that opened it, and the severity."""
    main = main_of(group)
    opener = next((alert for alert in group if alert.id == main.incident_id), main)
    scope = {label_name(name): "|".join(values) for name, values in opener.scope_values.items()}
    own = {"alertname": opener.rule, "severity": main.severity, "tenant": main.tenant, "level": opener.level}
    return {**scope, **own, "rule_type": opener.rule_type, "incident": main.incident_id[:16]}


def _prometheus(group: Sequence[Alert]) -> dict[str, object]:
    main, text = main_of(group), text_of(group)
    over = main.state == "resolved"
    started = main.incident.started_at if main.incident else main.started_at or main.window
    notes = {"title": main.title, "summary": main.summary, "actual": main.actual, "query": main.query}
    if main.expected is not None:
        notes["expected"] = main.expected
    if main.runbook:
        notes["runbook_url"] = main.runbook
    if main.owner:
        notes["owner"] = main.owner
    if missing := unpriced_text(main):
        notes["unpriced"] = missing
    if isinstance(text, AlertText) and text.parts:
        notes["alerts"] = "\n".join(line for _, line in text.parts)
    return {
        "status": "resolved" if over else "firing",
        "labels": _labels(group),
        "annotations": notes,
        "startsAt": rfc3339(min(started, main.at)),
        "endsAt": rfc3339(main.at) if over else _NEVER,
        "generatorURL": main.link,
        "fingerprint": main.incident_id[:16],
    }


def _build(spec: AlertmanagerChannel, context: ChannelContext) -> Channel:
    kind = AlertmanagerApi if spec.api == "v2" else Alertmanager
    return kind(spec.id, spec.url, context.poster)


def _from_settings(context: ChannelContext) -> Channel | None:
    url = context.settings.alertmanager_url.get_secret_value()
    return Alertmanager("alertmanager", url, context.poster) if url else None


KIND = ChannelKind(AlertmanagerChannel, _build, _from_settings)
