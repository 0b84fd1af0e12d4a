"""What people say of alerts, mute windows and pending alerts, on the real engine and through restarts."""

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.support.rollup_rows import NOW, anomaly_alerter, hour, sent, spend, write

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.alerts import AlertAction
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget, MuteTimeInterval, Threshold
from outlay_schemas.events import encoder

pytestmark = pytest.mark.stack

RULE = {"id": "t", "name": "T", "metric": "cost", "above": 5, "group_by": ["team"], "grain": "day"}
MUTE = MuteTimeInterval.model_validate({"id": "m", "from": NOW, "to": NOW + timedelta(hours=1), "rules": "t"})


def alerter(
    clickhouse: ClickHouseClient, clock: FakeClock, *mutes: MuteTimeInterval, **terms: object
) -> Alerter:
    rule = Threshold.model_validate({**RULE, **terms})
    catalog = Catalog(revision=1, created_at=NOW, rules=(rule,), mute_time_intervals=mutes)
    return Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(catalog), channels=["bus", "webhook"],
    )  # fmt: skip


def messages(clickhouse: ClickHouseClient, channel: str) -> list[str]:
    rows = clickhouse.rows(
        "SELECT JSONExtractString(body, 'state') AS s FROM alert_outbox FINAL WHERE channel = {c:String}"
        " ORDER BY created_at, message_id",
        {"c": channel},
    )
    return [row["s"] for row in rows]


def stands(clickhouse: ClickHouseClient) -> tuple[str, str, int, bool]:
    (row,) = clickhouse.rows("SELECT state, ended_reason, seq, notified FROM alerts FINAL")
    return row["state"], row["ended_reason"], row["seq"], row["notified"]


def test_what_must_last_is_pending_through_a_restart(clickhouse: ClickHouseClient) -> None:
    clock = FakeClock(NOW)
    spend(clickhouse, "6")
    alerter(clickhouse, clock, for_minutes=10).evaluate_all()
    assert (stands(clickhouse), messages(clickhouse, "bus")) == (("pending", "", 1, False), [])
    clock.advance(599)
    alerter(clickhouse, clock, for_minutes=10).tick()
    assert stands(clickhouse)[0] == "pending"
    clock.advance(1)
    alerter(clickhouse, clock, for_minutes=10).tick()
    assert (stands(clickhouse), messages(clickhouse, "webhook")) == (("firing", "", 2, True), ["firing"])


def test_a_muted_alert_is_stored_and_sent_at_the_end_if_it_still_fires(
    clickhouse: ClickHouseClient,
) -> None:
    clock = FakeClock(NOW)
    spend(clickhouse, "6")
    watch = alerter(clickhouse, clock, MUTE)
    watch.evaluate_all()
    assert (stands(clickhouse), messages(clickhouse, "bus"), messages(clickhouse, "webhook")) == (
        ("firing", "", 1, False), ["firing"], [],
    )  # fmt: skip
    clock.advance(3599)
    watch.tick()
    assert messages(clickhouse, "webhook") == []
    clock.advance(1)
    watch.tick()
    watch.tick()
    assert (stands(clickhouse), messages(clickhouse, "webhook")) == (("firing", "", 2, True), ["firing"])


def test_what_is_expected_is_over_and_silent_for_as_long_as_it_lasts(clickhouse: ClickHouseClient) -> None:
    clock = FakeClock(NOW)
    spend(clickhouse, "6")
    watch = alerter(clickhouse, clock)
    watch.evaluate_all()
    (row,) = clickhouse.rows("SELECT id FROM alerts FINAL")
    clock.advance(5)
    assert not watch.asked()
    word = AlertAction("acme", row["id"], "expected", clock.now(), comment="a launch", actor="kim")
    clickhouse.insert_json_lines("alert_actions", encoder.encode(word))  # as the console does
    clock.advance(5)
    assert watch.asked()
    watch.tick()
    assert (stands(clickhouse), messages(clickhouse, "webhook")) == (
        ("resolved", "expected", 2, True), ["firing", "resolved"],
    )  # fmt: skip
    (last,) = clickhouse.rows("SELECT JSONExtractString(body, 'facts', 'expected') AS why FROM alerts FINAL")
    assert last["why"] == "a launch, by kim"
    alerter(clickhouse, clock).evaluate_all()
    spend(clickhouse, "1", version=2)
    watch.evaluate("acme", {NOW})
    clock.advance(86_400)
    watch.tick()
    assert (stands(clickhouse)[:2], messages(clickhouse, "webhook")) == (
        ("resolved", ""), ["firing", "resolved"],
    )  # fmt: skip


def test_an_anomaly_that_was_expected_is_learnt_and_a_similar_one_does_not_fire(
    clickhouse: ClickHouseClient,
) -> None:
    def usual(*hours: int) -> list[dict[str, object]]:
        return [hour(n, 50 + 20 * ((n % 24) > 8) + (n * 7 % 5)) for n in range(*hours)]

    write(clickhouse, *usual(-240, 0), hour(0, 400), newest=0)
    clock = FakeClock(NOW + timedelta(minutes=40))
    watch = anomaly_alerter(clickhouse, clock)
    watch.evaluate_all()
    assert sent(clickhouse) == [("firing", "growth", "400")]
    (row,) = clickhouse.rows("SELECT id FROM alerts FINAL")
    clickhouse.insert_json_lines(
        "alert_actions", encoder.encode(AlertAction("acme", row["id"], "expected", NOW))
    )
    write(clickhouse, hour(0, 400), *usual(1, 24), newest=23)
    clock.advance(23 * 3600)
    watch.evaluate("acme", {NOW})
    assert [state for state, _, _ in sent(clickhouse)] == ["firing", "resolved"]
    write(clickhouse, hour(24, 420), *usual(25, 48), newest=47)
    clock.advance(24 * 3600)
    for again in (watch, anomaly_alerter(clickhouse, clock)):
        again.evaluate("acme", {NOW})
    assert len(sent(clickhouse)) == 2  # a day later, at the same hour
    write(clickhouse, hour(48, 900), newest=48)
    clock.advance(3600)
    for again in (watch, anomaly_alerter(clickhouse, clock)):
        again.evaluate("acme", {NOW})
    assert sent(clickhouse)[2:] == [("firing", "growth", "900")]


def test_the_end_of_its_period_ends_a_budgets_alert_once_also_when_late_events_come(
    clickhouse: ClickHouseClient,
) -> None:
    clock, plans = (
        FakeClock(NOW),
        [Budget(id="b", name="B", tenant="*", amount=Decimal(10), thresholds=(Decimal(50),))],
    )
    watch = Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock, channels=["bus", "webhook"],
        watchlist=lambda: Watchlist(Catalog(revision=1, created_at=NOW, budgets=tuple(plans))),
    )  # fmt: skip
    spend(clickhouse, "6")
    watch.evaluate_all()
    clock.advance(7 * 86_400)
    watch.tick()
    assert (stands(clickhouse)[:2], messages(clickhouse, "webhook")) == (
        ("resolved", "ended"),
        ["firing", "resolved"],
    )
    spend(clickhouse, "8", version=2)
    watch.evaluate("acme", {NOW})
    watch.evaluate("acme", {NOW})
    assert (stands(clickhouse)[:2], len(messages(clickhouse, "webhook"))) == (("resolved", "ended"), 2)
    plans.clear()
    spend(clickhouse, "7", at=NOW - timedelta(days=40))
    watch.evaluate_all()
    assert len(messages(clickhouse, "webhook")) == 2
