"""Channels that speak other systems' formats."""

from outlay_alerter.notify.channels.formats import alertmanager, alertmanager_api, pagerduty
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_schemas.alerts import SEVERITY_RANK, Severity
from outlay_schemas.events import encoder

_JSON = {"content-type": "application/json"}


class PagerDuty:
    """Sends events to PagerDuty (Events API v2), of alerts that are bad enough to wake somebody."""

    pause = 0.5
    updates = True

    def __init__(
        self, routing_key: str, url: str, least: Severity, poster: HttpPoster, name: str = "pagerduty"
    ) -> None:
        self.name = name
        self.target = f"{url}#{routing_key}"
        self._key, self._url, self._least, self._poster = routing_key, url, least, poster

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once. PagerDuty says 400 for an event that it will never take: that one is given up."""
        if all(
            SEVERITY_RANK[alert.incident_severity] < SEVERITY_RANK[self._least] or alert.backfill
            for alert in notification.alerts
        ):
            return DeliveryResult(
                "sent", "not sent: not severe enough for this channel, or about a past period"
            )
        answer = self._poster.post(self._url, encoder.encode(pagerduty(notification, self._key)), _JSON)
        return DeliveryResult("failed", answer.reason, status=400) if answer.status == 400 else answer


class Alertmanager:
    """Posts what Alertmanager posts to its webhook receivers, to any of them."""

    pause = 0.0
    updates = True

    def __init__(self, url: str, poster: HttpPoster, name: str = "alertmanager") -> None:
        self.name, self.target = name, url
        self._poster = poster

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        return self._poster.post(self.target, encoder.encode(alertmanager(notification)), _JSON)


class AlertmanagerApi:
    """Puts alerts into an Alertmanager itself (`POST /api/v2/alerts`), which groups, silences and tells them."""

    pause = 0.0
    updates = True

    def __init__(self, url: str, poster: HttpPoster, name: str) -> None:
        self.name = name
        self.target = f"{url.rstrip('/')}/api/v2/alerts"
        self._poster = poster

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once. Alertmanager says 400 for alerts that it will never take."""
        answer = self._poster.post(self.target, encoder.encode(alertmanager_api(notification)), _JSON)
        return DeliveryResult("failed", answer.reason, status=400) if answer.status == 400 else answer
