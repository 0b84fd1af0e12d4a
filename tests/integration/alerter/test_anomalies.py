"""Anomaly rules on the real engine: taught by history, notified once, the same after a restart."""

from datetime import timedelta

import pytest
from tests.support.rollup_rows import NOW, anomaly_alerter, hour, sent, write

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock

pytestmark = pytest.mark.stack


def test_an_anomaly_is_sent_once_through_restarts_and_resolves(clickhouse: ClickHouseClient) -> None:
    usual = [hour(n, 50 + 20 * ((n % 24) > 8) + (n * 7 % 5)) for n in range(-240, 0)]
    write(clickhouse, *usual, newest=0)
    clock = FakeClock(NOW + timedelta(minutes=40))
    watch = anomaly_alerter(clickhouse, clock)
    watch.evaluate_all()
    assert sent(clickhouse) == []
    write(clickhouse, hour(0, 400), newest=0)  # the hour is not over, and costs too much already
    watch.evaluate("acme", {NOW})
    assert sent(clickhouse) == [("firing", "growth", "400")]
    write(clickhouse, hour(1, 410), newest=2)
    clock.advance(7200)
    for again in (watch, anomaly_alerter(clickhouse, clock), watch):
        again.evaluate("acme", {NOW})
    assert len(sent(clickhouse)) == 1
    write(clickhouse, hour(2, 52), hour(3, 52), hour(4, 52), newest=5)
    clock.advance(3 * 3600)
    for again in (anomaly_alerter(clickhouse, clock), watch, anomaly_alerter(clickhouse, clock)):
        again.evaluate("acme", {NOW})
    assert [state for state, _, _ in sent(clickhouse)] == ["firing", "resolved"]
