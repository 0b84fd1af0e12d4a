"""The Slack channel by an incoming webhook, whose URL is a secret."""

from outlay_alerter.notify.channels.slack_blocks import message
from outlay_alerter.notify.digest_messages import slack_review
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_schemas.events import encoder


class Slack:
    """Posts each notification as one message; Slack takes one a second."""

    pause = 1.0
    updates = False

    def __init__(self, url: str, poster: HttpPoster, name: str = "slack") -> None:
        self.name, self.target = name, url
        self._poster = poster

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once. Slack says 404 or 410 for a webhook that was taken away, and 400 for a message it cannot show."""
        made = (
            message(notification.story) if notification.review is None else slack_review(notification.review)
        )
        body = encoder.encode(made)
        answer = self._poster.post(self.target, body, {"content-type": "application/json; charset=utf-8"})
        if answer.status in (403, 404):
            return DeliveryResult("disabled", answer.reason, status=answer.status)
        return answer
