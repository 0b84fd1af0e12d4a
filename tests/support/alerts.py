"""Alerts to send."""

from datetime import UTC, datetime

import msgspec

from outlay_alerter.notify.notification import Notification, OutboxMessage, Point, Review
from outlay_schemas.alerts import Alert, Contributor
from outlay_schemas.events import encoder
from outlay_schemas.money import Usd

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def alert(name: str = "a1", tenant: str = "acme", count: int = 2, width: int = 4, **changes: object) -> Alert:
    sample = Alert(
        id=name, tenant=tenant, rule="growth", rule_type="budget", scope={"team": "growth"},
        window=AT.replace(day=1), level="80", severity="warning", state="firing",
        title="Budget Growth reached 80%: $80.00 of $100.00 (80.0%)",
        summary="$80.00 of $100.00 (80.0%) in the month from 2026-11-01 00:00 UTC.",
        expected=Usd("80"), actual=Usd("80.000000000001"), at=AT, query="SELECT 1",
        contributors=[Contributor("sku", f"{n}".rjust(width, "m"), Usd("1.5")) for n in range(count)],
    )  # fmt: skip
    return msgspec.structs.replace(sample, **changes)


def waiting(
    name: str = "a1", tenant: str = "acme", channel: str = "webhook", batch_id: str = "", incident: str = ""
) -> OutboxMessage:
    body = encoder.encode(alert(name, tenant)).decode()
    at = "2026-11-24 12:00:00.000000"
    return OutboxMessage(tenant, f"msg_{name}_1", channel, body, 0, 0, batch_id, at, incident)


def notification(name: str = "a1") -> Notification:
    message = waiting(name)
    return Notification(message.message_id, (message,), (alert(name),))


def of(*alerts: Alert) -> Notification:
    """An notification of these alerts."""
    bodies = [encoder.encode(one).decode() for one in alerts]
    messages = tuple(
        OutboxMessage(one.tenant, f"msg_{one.id}_1", "ops", body, 0, 0, "", "2026-11-24 12:00:00.000000")
        for one, body in zip(alerts, bodies, strict=True)
    )
    return Notification("msg_bundle" if len(alerts) > 1 else messages[0].message_id, messages, alerts)


REVIEW = Review(
    id="rev_weekly_1763942400", review="weekly", title="AI costs in the week of 2026-11-16",
    headline="The week cost $1,204.31 for 48,112 events: +$204.31 (+20.4%) against the week before.",
    points=[
        Point("Why", ["volume +$150.00, price +$54.31", "growth / claude-sonnet-4-5 +$120.00"]),
        Point("Where the month lands", ["$4,812.00; 80% of the time from $4,600.00 to $5,100.00"]),
    ],
    html="<!doctype html><p>all of it</p>", link="https://outlay.example/", foot="outlay review --week 2026-11-16",
)  # fmt: skip


def of_review(review: Review = REVIEW) -> Notification:
    """An notification of a review."""
    body = encoder.encode(review).decode()
    message = OutboxMessage("acme", review.id, "ops", body, 0, 0, "", "2026-11-24 12:00:00.000000")
    return Notification(review.id, (message,), (), review)
