"""The webhook channel: Standard Webhooks 1.0."""

from collections.abc import Sequence

from outlay_alerter.notify.channels.webhook_body import body_of, signature
from outlay_alerter.notify.http_post import Poster
from outlay_alerter.notify.messages import Answer, Envelope
from outlay_kit.clock import Clock
from outlay_kit.failpoints import failpoint


class Webhook:
    """Posts each envelope, signed, under its stable id."""

    pause = 0.0
    updates = True

    def __init__(
        self, url: str, secrets: Sequence[bytes], poster: Poster, clock: Clock, name: str = "webhook"
    ) -> None:
        self.name, self.target = name, url
        self._secrets = secrets
        self._poster = poster
        self._clock = clock

    def send(self, envelope: Envelope) -> Answer:
        """Try once."""
        body, at = body_of(envelope), int(self._clock.now().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": envelope.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self._secrets, envelope.id, at, body),
        }
        answer = self._poster.post(self.target, body, headers)
        failpoint("after_send")
        return answer
