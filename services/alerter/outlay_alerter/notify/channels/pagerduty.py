"""PagerDuty, Events API v2: one incident there for each incident here."""

from collections.abc import Mapping
from typing import ClassVar

from outlay_alerter.notify.channel import Channel, ChannelContext, ChannelKind, HttpChannel
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import DeliveryResult, Notification, Outcome, rfc3339
from outlay_reports.alert_text import OPEN, AlertText, main_of, text_of
from outlay_schemas.alerts import SEVERITY_RANK, Severity, State
from outlay_schemas.catalog.channels import PagerDutyChannel

_URLS = {"us": "https://events.pagerduty.com/v2/enqueue", "eu": "https://events.eu.pagerduty.com/v2/enqueue"}
_ACTIONS: dict[State, str] = {"firing": "trigger", "acknowledged": "acknowledge", "resolved": "resolve"}
_SUMMARY = 1024
"""Characters that PagerDuty accepts for a summary."""
_LISTED = 50


class PagerDuty(HttpChannel):
    """Sends events for alerts that are severe enough to wake somebody."""

    pause = 0.5
    results: ClassVar[Mapping[int, Outcome]] = {400: "failed"}

    def __init__(
        self, routing_key: str, url: str, least: Severity, poster: HttpPoster, name: str = "pagerduty"
    ) -> None:
        super().__init__(name, url, poster)
        self.target, self._url = f"{url}#{routing_key}", url
        self._key, self._least = routing_key, SEVERITY_RANK[least]

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        if all(SEVERITY_RANK[a.incident_severity] < self._least or a.backfill for a in notification.alerts):
            return DeliveryResult(
                "sent", "not sent: not severe enough for this channel, or about a past period"
            )
        return self.post(self._url, pagerduty(notification, self._key))


def pagerduty(notification: Notification, routing_key: str) -> dict[str, object]:
    """Return one event. `dedup_key` is the incident's id, or the notification's if it has several incidents.

    PagerDuty shows a notification of several incidents as one, which does not resolve by itself.
    """
    alerts = notification.content
    text, main, single = text_of(alerts), main_of(alerts), len({a.incident_id for a in alerts}) == 1
    details: dict[str, object] = {"alerts": [a.title[:300] for a in alerts[:_LISTED]], "count": len(alerts)}
    if isinstance(text, AlertText):
        details = {
            "summary": text.summary, "amounts": text.amounts, "actual": f"{main.actual} {main.unit}",
            "expected": main.expected, "effects_usd": {e.kind: e.cost for e in main.effects},
            "contributors": dict(text.contributors), "alerts": [line for _, line in text.parts],
            "scope": main.scope, "facts": dict(text.facts), "query": main.query,
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
    links = text.links if isinstance(text, AlertText) else [(OPEN, main.link)] if main.link else []
    if links:
        event["links"] = [{"href": link, "text": label} for label, link in links]
    return event


def _build(spec: PagerDutyChannel, context: ChannelContext) -> Channel:
    # Routing already left out what is below the channel's severity.
    return PagerDuty(spec.routing_key, _URLS[spec.region], "info", context.poster, spec.id)


def _from_settings(context: ChannelContext) -> Channel | None:
    settings = context.settings
    key = settings.pagerduty_key.get_secret_value()
    return (
        PagerDuty(key, settings.pagerduty_url, settings.pagerduty_severity, context.poster) if key else None
    )


KIND = ChannelKind(PagerDutyChannel, _build, _from_settings)
