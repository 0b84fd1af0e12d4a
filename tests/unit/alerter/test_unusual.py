"""Anomalies as they are told."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay_alerter.adapters.watchlist import anomaly_of
from outlay_alerter.domain import unusual
from outlay_schemas.catalog.watch import Anomaly
from outlay_schemas.money import PICO

START = datetime(2026, 3, 2, tzinfo=UTC)


def test_spending_after_nothing_is_told_as_such() -> None:
    rule = anomaly_of(Anomaly(id="a", name="A", min_usd=Decimal(5)), "acme")
    watched = unusual.watch(rule, {}, START, None)
    at = START + timedelta(hours=500)
    (finding,) = unusual.feed(rule, watched, {at: 5000 * PICO}, at + timedelta(hours=1), at)
    assert finding.breached
    assert finding.severity == "critical"
    assert "nothing was spent before, and from $5.00 on" in finding.summary
