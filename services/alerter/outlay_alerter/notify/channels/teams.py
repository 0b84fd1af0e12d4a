"""The Teams channel: a workflow's URL, which is a secret."""

from outlay_alerter.notify.channels.teams_card import card
from outlay_alerter.notify.digest_messages import teams_review
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_schemas.events import encoder


class Teams:
    """Posts each notification as one Adaptive Card; a workflow takes few a second."""

    pause = 1.0
    updates = False

    def __init__(self, name: str, url: str, poster: HttpPoster) -> None:
        self.name, self.target = name, url
        self._poster = poster

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once. A workflow that was deleted or turned off says 404; one whose owner left says 401."""
        made = card(notification.story) if notification.review is None else teams_review(notification.review)
        answer = self._poster.post(self.target, encoder.encode(made), {"content-type": "application/json"})
        if answer.status in (404, 410):
            return DeliveryResult("disabled", answer.reason, status=answer.status)
        return answer
