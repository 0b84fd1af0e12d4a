"""A Slack app with a bot token: one message for each incident, kept up to date, with its changes in the thread."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from outlay_alerter.notify.channel import Channel, ChannelContext, ChannelKind
from outlay_alerter.notify.channels.slack import message, render, reply
from outlay_alerter.notify.chart import Picture
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_alerter.notify.outbox import Outbox, Thread
from outlay_kit.errors import Retryable
from outlay_kit.telemetry import get_logger
from outlay_schemas.catalog.channels import SlackBotChannel
from outlay_schemas.events import encoder

log = get_logger(__name__)

_FORM = "application/x-www-form-urlencoded"
_GONE = ("account_inactive", "token_revoked", "token_expired", "invalid_auth", "not_authed", "is_archived")
_GONE_PLACES = ("channel_not_found",)
_NEVER = ("invalid_blocks", "msg_too_long", "msg_blocks_too_long", "invalid_blocks_format", "no_text")
"""Errors of the message, which a retry does not fix."""


class SlackBot:
    """Calls Slack's Web API."""

    pause = 1.0
    updates = True

    def __init__(
        self, name: str, token: str, channel: str, poster: HttpPoster, *,
        threads: Outbox | None = None, picture: Picture | None = None, api: str = "https://slack.com/api",
        interactive: bool = False,
    ) -> None:  # fmt: skip
        """`interactive`: the alerter gets what people press, so alerts have buttons that act."""
        self.name, self.target = name, f"{api}#{channel}#{token}"
        self._token, self._channel, self._api = token, channel, api.rstrip("/")
        self._poster, self._threads, self._picture = poster, threads, picture
        self._interactive = interactive

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once: a first message, or its update and a reply in its thread."""
        if notification.review is not None:
            return self._call("chat.postMessage", render(notification))[0]
        ids = sorted({alert.incident_id for alert in notification.alerts})
        alone = len(ids) == 1
        if alone and self._threads is not None:
            known = self._threads.thread(self.name, ids[0])
            if known is not None and known.place == self._channel:
                return self._follow(notification, known)
        answer, said = self._call("chat.postMessage", self._message(notification))
        if answer.outcome == "sent" and (ts := str(said.get("ts", ""))):
            try:
                if self._threads is not None:
                    self._threads.remember_thread(self.name, ids, Thread(self._channel, ts, alone=alone))
            except Retryable as error:  # it was sent: what follows will be messages of their own
                log.warning("the thread is not remembered", channel=self.name, error=str(error))
            if alone:
                self._draw(notification, ts)
        return answer

    def _message(self, notification: Notification) -> dict[str, object]:
        return message(notification.content, interactive=self._interactive)

    def _follow(self, notification: Notification, known: Thread) -> DeliveryResult:
        """Reply in the thread of an incident, and in the channel too if it is worse or fires again."""
        loud = (
            notification.kind in ("opened", "escalated", "reminder")
            and notification.alerts[0].state == "firing"
        )
        said = {**reply(notification.content), "thread_ts": known.ts, "reply_broadcast": loud}
        answer, _ = self._call("chat.postMessage", said)
        if answer.outcome == "sent" and known.alone:
            updated, _ = self._call("chat.update", {**self._message(notification), "ts": known.ts})
            if updated.outcome != "sent":
                log.warning("the first message is not up to date", channel=self.name, reason=updated.reason)
        return answer

    def _draw(self, notification: Notification, ts: str) -> None:
        """Put a picture into the thread. The alert was sent, whether this works or not."""
        if self._picture is None or notification.alerts[0].state != "firing":
            return
        picture = self._picture(notification)
        if picture is None:
            return
        answer = self._upload(picture, ts)
        if answer.outcome != "sent":
            log.warning("no picture in the thread", channel=self.name, reason=answer.reason)

    def _upload(self, picture: bytes, ts: str) -> DeliveryResult:
        asked = {"filename": "spending.png", "length": len(picture), "alt_txt": "Spending over time"}
        answer, said = self._call("files.getUploadURLExternal", asked, form=True)
        if answer.outcome != "sent":
            return answer
        answer = self._poster.post(str(said["upload_url"]), picture, {"content-type": "image/png"})
        if answer.outcome != "sent":
            return answer
        files = [{"id": said["file_id"], "title": "Spending over time"}]
        ended = {"files": files, "channel_id": self._channel, "thread_ts": ts}
        return self._call("files.completeUploadExternal", ended)[0]

    def _call(
        self, method: str, body: Mapping[str, object], *, form: bool = False
    ) -> tuple[DeliveryResult, dict[str, Any]]:
        kind = _FORM if form else "application/json; charset=utf-8"
        headers = {"content-type": kind, "authorization": f"Bearer {self._token}"}
        said = body if form or method.startswith("files.") else {**body, "channel": self._channel}
        raw = urlencode(said).encode() if form else encoder.encode(said)
        answer, text = self._poster.exchange(f"{self._api}/{method}", raw, headers)
        if answer.outcome != "sent":
            return answer, {}
        return _judged(method, text, answer.status)


def _judged(method: str, text: bytes, status: int) -> tuple[DeliveryResult, dict[str, Any]]:
    """Read an answer: Slack says 200 for what it refuses, too, and `ok` says whether it did."""
    try:
        said = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return DeliveryResult("retry", f"{method} answered no JSON", status=status), {}
    if said.get("ok") is True:
        return DeliveryResult("sent", status=status), said
    error = str(said.get("error", "no reason"))[:100]
    reason = f"{method} answered {error}" + (f", needs {said['needed']}" if "needed" in said else "")
    if error in _GONE or (error in _GONE_PLACES and method.startswith("chat.")):
        return DeliveryResult("disabled", reason, status=status), said
    return DeliveryResult("failed" if error in _NEVER else "retry", reason, status=status), said


def _build(spec: SlackBotChannel, context: ChannelContext) -> Channel:
    settings, picture = context.settings, context.picture if spec.picture else None
    return SlackBot(
        spec.id, spec.token, spec.channel, context.poster, threads=context.threads, picture=picture,
        api=settings.slack_api, interactive=bool(settings.slack_signing_secrets),
    )  # fmt: skip


KIND = ChannelKind(SlackBotChannel, _build)
