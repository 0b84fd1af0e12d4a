"""A sample alert, to test a channel with."""

from datetime import datetime, timedelta

from outlay_alerter.notify.notification import Notification, OutboxMessage
from outlay_schemas.alerts import Alert, Contributor, Effect
from outlay_schemas.events import encoder
from outlay_schemas.money import Usd

_PREFIX = "sample"


def is_sample(name: str) -> bool:
    """Return whether this is the id of a sample; those of other alerts are hexadecimal."""
    return name.startswith(_PREFIX)


def alert(now: datetime) -> Alert:
    """Return an alert that looks real, and says that it is a test."""
    return Alert(
        id=f"{_PREFIX}{now:%Y%m%d%H%M%S}", tenant="sample", rule="sample", rule_type="spend_spike",
        scope={"project": "assistant", "sku": "claude-sonnet-4-5"}, window=now - timedelta(minutes=1),
        level="spike", severity="info", state="firing",
        title="Test alert, nothing is wrong: project assistant spent $42.10 in a minute (usual: $4.48)",
        summary="This is what an alert looks like. Somebody ran: outlay alerts test",
        actual=Usd("42.1"), expected=Usd("4.48"), impact=Usd("37.62"), impact_per_hour=Usd("2257.2"),
        effects=[Effect("volume", Usd("30.02")), Effect("mix", Usd("7.6"))], compared="the minute before",
        contributors=[Contributor("team", "growth", Usd("40.1")), Contributor("user", "u-17", Usd("39.99"))],
        at=now, query="SELECT * FROM costs_minutely",
    )  # fmt: skip


def posted(one: Alert) -> Notification:
    """Return an alert as a notification of its own, always under the same id."""
    message = f"msg_{one.id}_1"
    body = encoder.encode(one).decode()
    waiting = OutboxMessage(one.tenant, message, "", body, 0, 0, "", f"{one.at:%Y-%m-%d %H:%M:%S.%f}")
    return Notification(message, (waiting,), (one,))
