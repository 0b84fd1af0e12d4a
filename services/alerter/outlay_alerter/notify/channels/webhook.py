"""The webhook channel: Standard Webhooks 1.0."""

from collections.abc import Sequence

from outlay_alerter.notify.channels.webhook_body import body_of, signature
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_kit.clock import Clock
from outlay_kit.failpoints import failpoint


class Webhook:
    """Posts each notification, signed, under its stable id."""

    pause = 0.0
    updates = True

    def __init__(
        self, url: str, secrets: Sequence[bytes], poster: HttpPoster, clock: Clock, name: str = "webhook"
    ) -> None:
        self.name, self.target = name, url
        self._secrets = secrets
        self._poster = poster
        self._clock = clock

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        body, at = body_of(notification), int(self._clock.now().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": notification.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self._secrets, notification.id, at, body),
        }
        answer = self._poster.post(self.target, body, headers)
        failpoint("after_send")
        return answer
