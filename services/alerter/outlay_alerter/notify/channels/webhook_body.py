"""Standard Webhooks 1.0: the body, the signature, and the secrets that make it."""

import base64
import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from outlay_alerter.notify.digest_messages import review_data
from outlay_alerter.notify.notification import Notification, rfc3339
from outlay_schemas.alerts import Alert, Incident
from outlay_schemas.events import encoder

MOST_BYTES = 20_000
"""The specification asks for bodies under 20 KB."""


def read_secrets(text: str) -> tuple[bytes, ...]:
    """Read secrets (`whsec_` and base64 of 24 to 64 bytes) that stand between spaces or commas.

    With several, every message is signed by each, so that a receiver can be moved from one to the next.
    Raises ValueError, which never shows a secret.
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
    """Return the header `webhook-signature`: one `v1,<base64>` a secret, with spaces between them."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = [hmac.new(secret, signed, hashlib.sha256).digest() for secret in secrets]
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def body_of(notification: Notification) -> bytes:
    """Return the body of a message: `{type, timestamp, data}`. The same notification gives the same bytes.

    `type` is `alert.firing`, `alert.resolved` and so on with an alert as `data`; for many at once it is
    `alerts` with `data` of `count` and `alerts`, as many of them as there is room for.
    """
    if notification.review is not None:
        return _review(notification)
    first = notification.alerts[0]
    if len(notification.alerts) > 1:
        return _many(notification.alerts, notification.incident)
    for kept in (len(first.contributors), 9, 3, 0):
        body = _body(f"alert.{first.state}", first, _shortened(first, kept))
        if len(body) <= MOST_BYTES:
            return body
    return _body(f"alert.{first.state}", first, _bare(first))


def _review(notification: Notification) -> bytes:
    """Write a review with as many of its points as there is room for. `timestamp` is when it was decided."""
    found = review_data(notification.review) if notification.review else {}
    points = list(notification.review.points) if notification.review else []
    at = notification.messages[0].created[:23].replace(" ", "T") + "Z"
    while True:
        data = {**found, "points": points}
        body = encoder.encode({"type": "review", "timestamp": at, "data": data})
        if len(body) <= MOST_BYTES or not points:
            return body
        points = points[:-1]


def _many(alerts: Sequence[Alert], incident: Incident | None) -> bytes:
    shown = [_bare(alert) for alert in alerts]
    common = {} if incident is None else {"incident": incident}
    while True:
        body = _body("alerts", alerts[0], {"count": len(alerts), **common, "alerts": shown})
        if len(body) <= MOST_BYTES or not shown:
            return body
        shown = shown[: min(len(shown) - 1, len(shown) * MOST_BYTES // len(body))]


def _body(name: str, first: Alert, data: object) -> bytes:
    return encoder.encode({"type": name, "timestamp": rfc3339(first.at), "data": data})


def _shortened(alert: Alert, contributors: int) -> Alert:
    return msgspec.structs.replace(alert, contributors=alert.contributors[:contributors])


def _bare(alert: Alert) -> dict[str, object]:
    """Return what of an alert is enough to find the rest by its id."""
    return {
        "id": alert.id, "tenant": alert.tenant, "rule": alert.rule[:256], "state": alert.state,
        "severity": alert.severity, "level": alert.level, "window": rfc3339(alert.window),
        "title": alert.title[:300], "actual": alert.actual, "expected": alert.expected,
    }  # fmt: skip
