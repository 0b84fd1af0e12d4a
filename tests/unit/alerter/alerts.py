"""Alerts to send."""

from datetime import UTC, datetime

import msgspec

from outlay_alerter.domain.delivery import Envelope, Waiting
from outlay_schemas.alerts import Alert, Contributor
from outlay_schemas.events import encoder
from outlay_schemas.money import Usd

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def alert(name: str = "a1", tenant: str = "acme", count: int = 2, width: int = 4, **changes: object) -> Alert:
    sample = Alert(
        id=name, tenant=tenant, rule="growth", rule_type="budget", scope={"team": "growth"},
        window=AT.replace(day=1), level="80", severity="warning", state="firing",
        title="Budget Growth reached 80 %: $80.00 of $100.00 (80.0 %)",
        summary="$80.00 of $100.00 (80.0 %) in the month from 2026-11-01 00:00 UTC.",
        expected=Usd("80"), actual=Usd("80.000000000001"), at=AT, query="SELECT 1",
        contributors=[Contributor("sku", f"{n}".rjust(width, "m"), Usd("1.5")) for n in range(count)],
    )  # fmt: skip
    return msgspec.structs.replace(sample, **changes)


def waiting(name: str = "a1", tenant: str = "acme", channel: str = "webhook", bundle: str = "") -> Waiting:
    body = encoder.encode(alert(name, tenant)).decode()
    return Waiting(tenant, f"msg_{name}_1", channel, body, 0, 0, bundle, "2026-11-24 12:00:00.000000")


def envelope(name: str = "a1") -> Envelope:
    message = waiting(name)
    return Envelope(message.message_id, (message,), (alert(name),))
