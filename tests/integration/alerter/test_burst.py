"""One user's burst, as an engineer on call reads it: who, how much, how fast, since when, and why."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from tests.support.ledger import cost_event, write
from tests.support.rollup_rows import NOW
from tests.support.scripted_channel import Scripted

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.notify.channels.pagerduty import pagerduty
from outlay_alerter.notify.delivery_worker import DeliveryWorker
from outlay_alerter.notify.notification import DeliveryResult, Notification
from outlay_alerter.notify.outbox import Outbox
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.alert_actions import store_alert_actions
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.compare import THING, compare
from outlay_reports.cost_query import CostQuery
from outlay_schemas.alerts import Alert, AlertAction, alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import AlertRule, Anomaly, Budget, Burn, SpendSpike, Threshold
from outlay_schemas.events import CostEvent
from outlay_schemas.money import to_usd

pytestmark = pytest.mark.stack

BURST = NOW - timedelta(minutes=2)
"""The minute in which u-loop spends."""


def evaluate(
    clickhouse: ClickHouseClient, *, budgets: Sequence[Budget] = (), rules: Sequence[AlertRule] = (),
    now: datetime = NOW, channels: Sequence[str] = ("bus",),
) -> None:  # fmt: skip
    """Evaluate once."""
    catalog = Catalog(revision=1, created_at=NOW, budgets=tuple(budgets), rules=tuple(rules))
    Alerter(
        RollupReader(clickhouse), Store(clickhouse), FakeClock(now),
        watchlist=lambda: Watchlist(catalog), channels=channels, console="https://outlay.example",
    ).evaluate_all()  # fmt: skip


def alerts_of(
    clickhouse: ClickHouseClient, *, budgets: Sequence[Budget] = (), rules: Sequence[AlertRule] = ()
) -> dict[str, Alert]:
    """Evaluate once at NOW, and return what fires by rule and level."""
    evaluate(clickhouse, budgets=budgets, rules=rules)
    rows = clickhouse.rows("SELECT body FROM alerts FINAL WHERE state = 'firing'")
    found = [alert_decoder.decode(row["body"]) for row in rows]
    return {f"{one.rule} {one.level}": one for one in found}


def quiet_month(*, tokens: int = 10) -> list[CostEvent]:
    """Return what u-5 and u-4 spend all month, the same each hour."""
    return [
        cost_event("acme", 2 * n + k, NOW - timedelta(hours=n, minutes=5), cost, user=user, tokens=tokens)
        for n in range(23 * 24)
        for k, (user, cost) in enumerate((("u-5", "0.05"), ("u-4", "0.04")))
    ]


def test_a_burn_rate_alert_speaks_of_its_own_window(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    burst = [
        cost_event("acme", 10_000 + n, BURST, "0.1969", user="u-loop", sku="gpt-5-pro") for n in range(100)
    ]
    write(house, [*quiet_month(), *burst])
    month = Budget(
        id="b", name="B", tenant="*", amount=Decimal(400), thresholds=(),
        burn=(Burn(hours=Decimal(1), rate=Decimal("14.4")),),
    )  # fmt: skip
    alert = alerts_of(clickhouse, budgets=[month])["b burn-1h"]
    first, second = alert.contributors[:2]
    assert [(c.dimension, c.value) for c in (first, second)] == [("sku", "gpt-5-pro"), ("sku", "gpt-5")]
    users = [(c.value, c.cost) for c in alert.contributors if c.dimension == "user"]
    assert users == [("u-loop", "19.69"), ("u-5", "0.05"), ("u-4", "0.04")]
    assert alert.actual == "19.78"
    assert (alert.window, alert.window_end) == (NOW - timedelta(minutes=59), NOW + timedelta(minutes=1))
    assert alert.started_at == BURST
    assert alert.rate_per_hour == "118.68"  # $19.78 in ten minutes
    assert alert.impact_per_hour is not None
    assert Decimal(alert.impact_per_hour) == Decimal(alert.impact or 0) > 19  # of one hour
    assert alert.compared == "the hour before"
    assert {e.kind: e.cost for e in alert.effects} == {"new": "19.69"}


def test_an_alert_and_a_comparison_split_the_same_data_alike(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    """Twice the tokens in as many events are more volume, not a higher price."""
    before = [cost_event("acme", n, NOW - timedelta(hours=1, minutes=n), "1", tokens=999) for n in range(50)]
    after = [cost_event("acme", 100 + n, NOW - timedelta(minutes=n), "3", tokens=1999) for n in range(50)]
    write(house, [*before, *after])
    hour = Budget(
        id="b", name="B", tenant="*", amount=Decimal(100), rolling_days=1, thresholds=(),
        burn=(Burn(hours=Decimal(1), rate=Decimal(2)),),
    )  # fmt: skip
    alert = alerts_of(clickhouse, budgets=[hour])["b burn-1h"]
    assert {e.kind: e.cost for e in alert.effects} == {"volume": "50", "price": "50"}
    reader, window = CostReader(clickhouse), TimeRange(alert.window, alert.window_end or NOW)
    cells = [
        reader.cells(CostQuery(span, ZoneInfo("UTC"), THING, {}, ("acme",)))
        for span in (window.before, window)
    ]
    assert {name: to_usd(cost) for name, cost in compare(cells[0], cells[1], 0).all.effects.items() if cost} == {
        "volume": "50", "price": "50",
    }  # fmt: skip


def test_a_spike_is_compared_with_what_made_it_a_spike(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    """Not with the minute before, in which it had begun to rise."""
    calm = [cost_event("acme", n, NOW - timedelta(minutes=n), "0.1", tokens=99) for n in range(1, 121)]
    rising = cost_event("acme", 900, NOW - timedelta(minutes=1), "2.4", tokens=2399)
    burst = cost_event("acme", 901, NOW, "10.8", tokens=10_799)
    write(house, [*calm, rising, burst])
    spike = SpendSpike(id="s", name="S", group_by=("team",), grain="minute", min_usd=Decimal(1))
    alert = alerts_of(clickhouse, rules=[spike])["s spike"]
    assert alert.compared == "the average minute of the 2 hours before"
    assert sum(Decimal(e.cost) for e in alert.effects) == Decimal("10.8") - Decimal("14.4") / 120
    assert max(alert.effects, key=lambda e: Decimal(e.cost)).kind == "volume"


BURN = Budget(
    id="b", name="B", tenant="*", amount=Decimal(400), thresholds=(),
    burn=(Burn(hours=Decimal(1), rate=Decimal("14.4"), severity="critical"), Burn(hours=Decimal(6), rate=Decimal(3))),
)  # fmt: skip
RULES: Sequence[AlertRule] = (
    SpendSpike(id="s", name="S", group_by=("team",), grain="minute"),
    SpendSpike(id="u", name="U", group_by=("user",), grain="minute"),
    Threshold(id="t", name="T", metric="cost", grain="minute", above=Decimal(10)),
)


def sent_by(clickhouse: ClickHouseClient, channel: Scripted, now: datetime = NOW) -> list[Notification]:
    """Let one channel send what is due, and return that."""
    channel.sent.clear()
    DeliveryWorker(channel, Outbox(clickhouse), FakeClock(now)).turn()
    return list(channel.sent)


def test_one_burst_is_one_message_with_its_parts(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    burst = [
        cost_event("acme", 10_000 + n, BURST, "0.1969", user="u-loop", sku="gpt-5-pro") for n in range(100)
    ]
    write(house, [*quiet_month(), *burst])
    chat = Scripted([DeliveryResult("sent")], name="chat", updates=False)
    pager = Scripted([DeliveryResult("sent")], name="pager", updates=True)
    channels = ("bus", "chat", "pager")
    evaluate(clickhouse, budgets=[BURN], rules=RULES, channels=channels)
    (first,) = sent_by(clickhouse, chat)
    assert first.incident is not None
    assert {f"{part.rule} {part.rule_type}" for part in first.incident.parts} == {
        "b budget_burn", "s spend_spike", "u spend_spike", "t threshold",
    }  # fmt: skip
    assert len(first.alerts) == len(first.incident.parts) == 5
    assert first.incident.severity == "critical"
    assert first.incident.started_at == BURST
    assert pagerduty(sent_by(clickhouse, pager)[0], "key")["dedup_key"] == first.incident.id
    # A part that joins later changes the incident, and notifies no one again.
    later = NOW + timedelta(minutes=2)
    more = Threshold(id="v", name="V", group_by=("user",), metric="events", grain="hour", above=Decimal(90))
    evaluate(clickhouse, budgets=[BURN], rules=[*RULES, more], channels=channels, now=later)
    assert sent_by(clickhouse, chat, later) == []
    (update,) = sent_by(clickhouse, pager, later)
    assert (update.kind, pagerduty(update, "key")["dedup_key"]) == ("updated", first.incident.id)
    assert update.incident is not None
    assert "v" in [part.rule for part in update.incident.parts]
    # It is over when all of its parts are: one message.
    sent: list[Notification] = []
    for n, minutes in enumerate((10, 70, 200, 420)):
        end = NOW + timedelta(minutes=minutes)
        users = enumerate(("u-loop", "u-5"))
        write(
            house,
            [
                cost_event("acme", 20_000 + 2 * n + k, end - timedelta(minutes=3), "0.01", user=u)
                for k, u in users
            ],
        )
        evaluate(clickhouse, budgets=[BURN], rules=[*RULES, more], channels=channels, now=end)
        sent += sent_by(clickhouse, chat, end)
    (over,) = sent
    assert (over.kind, over.incident and over.incident.state) == ("resolved", "resolved")
    assert over.incident is not None
    assert (over.incident.severity, len(over.incident.parts)) == ("critical", 6)
    event = pagerduty(sent_by(clickhouse, pager, end)[-1], "key")
    assert (event["event_action"], event["dedup_key"]) == ("resolve", first.incident.id)


def test_acknowledging_an_incident_acknowledges_its_parts(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    burst = [
        cost_event("acme", 10_000 + n, BURST, "0.1969", user="u-loop", sku="gpt-5-pro") for n in range(100)
    ]
    write(house, [*quiet_month(), *burst])
    evaluate(clickhouse, budgets=[BURN], rules=RULES)
    (row,) = clickhouse.rows("SELECT incident, count() AS n FROM alerts FINAL GROUP BY incident")
    assert row["n"] == 5
    now = NOW + timedelta(minutes=1)
    store_alert_actions(clickhouse, [AlertAction("acme", row["incident"], "acknowledged", now)])
    evaluate(clickhouse, budgets=[BURN], rules=RULES, now=now)
    assert clickhouse.rows("SELECT DISTINCT state FROM alerts FINAL") == [{"state": "acknowledged"}]


def test_an_action_on_a_later_part_acts_on_the_whole_incident(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    burst = [
        cost_event("acme", 10_000 + n, BURST, "0.1969", user="u-loop", sku="gpt-5-pro") for n in range(100)
    ]
    write(house, [*quiet_month(), *burst])
    pager = Scripted([DeliveryResult("sent")], name="pager", updates=True)
    evaluate(clickhouse, budgets=[BURN], rules=RULES, channels=["pager"])
    assert len(sent_by(clickhouse, pager)) == 1
    (part, *_) = clickhouse.rows("SELECT id FROM alerts FINAL WHERE id != incident ORDER BY id")
    minute = timedelta(minutes=1)
    store_alert_actions(
        clickhouse, [AlertAction("acme", part["id"], "snoozed", NOW + minute, NOW + 20 * minute)]
    )
    more = Threshold(id="v", name="V", group_by=("user",), metric="events", grain="hour", above=Decimal(90))
    for minutes in (2, 19):
        now = NOW + minutes * minute
        evaluate(clickhouse, budgets=[BURN], rules=[*RULES, more], channels=["pager"], now=now)
        firing = [n for n in sent_by(clickhouse, pager, now) if n.alerts[0].state == "firing"]
        assert firing == [], "what joins a snoozed incident is not sent"
    now = NOW + 21 * minute
    evaluate(clickhouse, budgets=[BURN], rules=[*RULES, more], channels=["pager"], now=now)
    (reminder,) = sent_by(clickhouse, pager, now)
    assert (reminder.kind, reminder.incident and reminder.incident.state) == ("reminder", "firing")
    store_alert_actions(clickhouse, [AlertAction("acme", part["id"], "acknowledged", now)])
    evaluate(clickhouse, budgets=[BURN], rules=[*RULES, more], channels=["pager"], now=now + minute)
    states = clickhouse.rows("SELECT DISTINCT state FROM alerts FINAL WHERE state != 'resolved'")
    assert states == [{"state": "acknowledged"}]


def test_an_anomaly_of_the_same_burst_joins_its_incident_and_sends_no_second_message(
    house: ClickHouseSettings, clickhouse: ClickHouseClient
) -> None:
    burst = [
        cost_event("acme", 10_000 + n, BURST, "0.1969", user="u-loop", sku="gpt-5-pro") for n in range(100)
    ]
    write(house, [*quiet_month(), *burst, cost_event("acme", 20_000, NOW + timedelta(minutes=9), "0.01")])
    chat = Scripted([DeliveryResult("sent")], name="chat", updates=False)
    rules = [*RULES, Anomaly(id="a", name="A", group_by=("team",), grain="hour")]
    evaluate(clickhouse, budgets=[BURN], rules=rules, channels=["bus", "chat"])
    (first,) = sent_by(clickhouse, chat)
    later = NOW + timedelta(minutes=10)
    evaluate(clickhouse, budgets=[BURN], rules=rules, channels=["bus", "chat"], now=later)
    fired = [n for n in sent_by(clickhouse, chat, later) if n.alerts[0].state == "firing"]
    assert fired == []
    rows = clickhouse.rows("SELECT rule, incident FROM alerts FINAL WHERE rule = 'a'")
    assert first.incident is not None
    assert rows == [{"rule": "a", "incident": first.incident.id}]
