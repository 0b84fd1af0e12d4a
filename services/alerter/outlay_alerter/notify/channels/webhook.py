"""Webhooks by Standard Webhooks 1.0: the body, the signature, and the secrets that make it."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence

import msgspec

from outlay_alerter.notify.channel import Channel, ChannelContext, ChannelKind, HttpChannel
from outlay_alerter.notify.http_post import HttpPoster
from outlay_alerter.notify.notification import DeliveryResult, Notification, Review, rfc3339
from outlay_kit.clock import Clock
from outlay_kit.failpoints import failpoint
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog.channels import WebhookChannel
from outlay_schemas.events import encoder

MOST_BYTES = 20_000
"""Maximum size of a body, which the specification asks for."""


class Webhook(HttpChannel):
    """Posts each notification, signed, under its stable id."""

    def __init__(
        self, url: str, secrets: Sequence[bytes], poster: HttpPoster, clock: Clock, name: str = "webhook"
    ) -> None:
        super().__init__(name, url, poster)
        self._secrets, self._clock = secrets, clock

    def send(self, notification: Notification) -> DeliveryResult:
        """Try once."""
        body, at = body_of(notification), int(self._clock.now().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": notification.id,
            "webhook-timestamp": str(at),
            "webhook-signature": signature(self._secrets, notification.id, at, body),
        }
        result = self._poster.post(self.target, body, headers)
        failpoint("after_send")
        return result


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Read secrets (`whsec_` and base64 of 24 to 64 bytes), separated by spaces or commas.

    Each secret signs every message, so that a receiver can move from one to the next. Raises ValueError, which never
    shows a secret.
    """
    secrets = []
    for word in text.replace(",", " ").split():
        try:
            raw = base64.b64decode(word.removeprefix("whsec_") + "==", validate=False)
        except ValueError:
            raise ValueError("a webhook secret is not base64 after whsec_") from None
        if not 24 <= len(raw) <= 64:
            raise ValueError("a webhook secret holds 24 to 64 bytes, in base64 after whsec_")
        secrets.append(raw)
    return tuple(secrets)


def signature(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`: one `v1,<base64>` for each secret, separated by spaces."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = [hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets]
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def body_of(notification: Notification) -> bytes:
    """Return the body of a message: `{type, timestamp, data}`. The same notification gives the same bytes.

    `type` is `alert.firing`, `alert.resolved` and so on, with an alert as `data`. For several alerts it is `alerts`,
    with `count` and as many alerts as fit; for a digest it is `review`, with as many points as fit.
    """
    if notification.review is not None:
        return _digest(notification, notification.review)
    first = notification.alerts[0]
    if len(notification.alerts) > 1:
        common = {} if notification.incident is None else {"incident": notification.incident}
        bare, count = [_bare(alert) for alert in notification.alerts], len(notification.alerts)
        return _fitted(
            bare, lambda shown: _body("alerts", first, {"count": count, **common, "alerts": shown})
        )
    for kept in (len(first.contributors), 9, 3, 0):
        shown = msgspec.structs.replace(first, contributors=first.contributors[:kept])
        body = _body(f"alert.{first.state}", first, shown)
        if len(body) <= MOST_BYTES:
            return body
    return _body(f"alert.{first.state}", first, _bare(first))


def _digest(notification: Notification, digest: Review) -> bytes:
    """Write a digest without its page. `timestamp` is when it was due."""
    fields = {k: v for k, v in msgspec.to_builtins(digest).items() if k not in ("type", "html")}
    at = notification.messages[0].created[:23].replace(" ", "T") + "Z"
    return _fitted(
        digest.points,
        lambda shown: encoder.encode(
            {"type": "review", "timestamp": at, "data": {**fields, "points": shown}}
        ),
    )


def _fitted(items: Sequence[object], write: Callable[[Sequence[object]], bytes]) -> bytes:
    while True:
        body = write(items)
        if len(body) <= MOST_BYTES or not items:
            return body
        items = items[: min(len(items) - 1, len(items) * MOST_BYTES // len(body))]


def _body(name: str, first: Alert, data: object) -> bytes:
    return encoder.encode({"type": name, "timestamp": rfc3339(first.at), "data": data})


def _bare(alert: Alert) -> dict[str, object]:
    return {
        "id": alert.id, "tenant": alert.tenant, "rule": alert.rule[:256], "state": alert.state,
        "severity": alert.severity, "level": alert.level, "window": rfc3339(alert.window),
        "title": alert.title[:300], "actual": alert.actual, "expected": alert.expected,
        **({"unpriced": alert.unpriced} if alert.unpriced else {}),
    }  # fmt: skip


def _build(spec: WebhookChannel, context: ChannelContext) -> Channel:
    return Webhook(spec.url, read_secrets(spec.secret), context.poster, context.clock, spec.id)


def _from_settings(context: ChannelContext) -> Channel | None:
    url = context.settings.webhook_url.get_secret_value()
    secrets = read_secrets(context.settings.webhook_secret.get_secret_value())
    return Webhook(url, secrets, context.poster, context.clock) if url else None


KIND = ChannelKind(WebhookChannel, _build, _from_settings)
