"""Channels that speak other systems' formats."""

from outlay_alerter.adapters.http import Poster
from outlay_alerter.domain.delivery import Answer, Envelope
from outlay_alerter.domain.formats import alertmanager, alertmanager_api, pagerduty, worth
from outlay_schemas.alerts import Severity
from outlay_schemas.events import encoder

_JSON = {"content-type": "application/json"}


class PagerDuty:
    """Sends events to PagerDuty (Events API v2), of alerts that are bad enough to wake somebody."""

    pause = 0.5

    def __init__(
        self, routing_key: str, url: str, least: Severity, poster: Poster, name: str = "pagerduty"
    ) -> None:
        self.name = name
        self.target = f"{url}#{routing_key}"
        self._key, self._url, self._least, self._poster = routing_key, url, least, poster

    def send(self, envelope: Envelope) -> Answer:
        """Try once. PagerDuty says 400 for an event that it will never take: that one is given up."""
        alerts = worth(envelope.alerts, self._least)
        if not alerts:
            return Answer("sent", "not bad enough for this channel")
        answer = self._poster.post(self._url, encoder.encode(pagerduty(envelope, alerts, self._key)), _JSON)
        return Answer("dead", answer.reason, status=400) if answer.status == 400 else answer


class Alertmanager:
    """Posts what Alertmanager posts to its webhook receivers, to any of them."""

    pause = 0.0

    def __init__(self, url: str, poster: Poster, name: str = "alertmanager") -> None:
        self.name, self.target = name, url
        self._poster = poster

    def send(self, envelope: Envelope) -> Answer:
        """Try once."""
        return self._poster.post(self.target, encoder.encode(alertmanager(envelope)), _JSON)


class AlertmanagerApi:
    """Puts alerts into an Alertmanager itself (`POST /api/v2/alerts`), which groups, silences and tells them."""

    pause = 0.0

    def __init__(self, url: str, poster: Poster, name: str) -> None:
        self.name = name
        self.target = f"{url.rstrip('/')}/api/v2/alerts"
        self._poster = poster

    def send(self, envelope: Envelope) -> Answer:
        """Try once. Alertmanager says 400 for alerts that it will never take."""
        answer = self._poster.post(self.target, encoder.encode(alertmanager_api(envelope)), _JSON)
        return Answer("dead", answer.reason, status=400) if answer.status == 400 else answer
