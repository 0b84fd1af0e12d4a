"""Anomalies as they are told."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from outlay_alerter.adapters.watchlist import anomaly_of
from outlay_alerter.domain import unusual
from outlay_kit.spans import Span
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


def test_what_somebody_expected_is_learnt_and_what_is_like_it_is_not_told() -> None:
    rule = anomaly_of(Anomaly(id="a", name="A", min_usd=Decimal(5)), "acme")
    hours = [START + timedelta(hours=n) for n in range(20 * 24)]
    costs = {at: (50 + 20 * (at.hour > 8) + n % 3) * PICO for n, at in enumerate(hours)}
    batch = START + timedelta(days=10, hours=2)
    later = batch + timedelta(days=3, minutes=60)
    costs |= {batch: 400 * PICO, later: 430 * PICO}

    def fired(expected: Sequence[Span], **more: int) -> list[datetime]:
        watched = unusual.watch(rule, {}, START, None, expected)
        changed = costs | {START + timedelta(hours=int(name[1:])): v * PICO for name, v in more.items()}
        found = unusual.feed(rule, watched, changed, hours[-1], START)
        return sorted({f.key.window for f in found if f.breached})

    meant = [Span(batch, batch + timedelta(hours=3))]
    assert fired([]) == [batch, later]
    assert fired(meant) == [batch]  # which the state machine knows to be expected
    assert fired(meant, h360=600) == [batch, START + timedelta(hours=360)]  # at the hour, and far more
    assert fired(meant, h370=400) == [
        batch,
        START + timedelta(hours=370),
    ]  # as much, at another time of the day


def test_what_was_expected_is_forgotten_when_the_rule_looks_back_no_further() -> None:
    rule = anomaly_of(Anomaly(id="a", name="A", min_usd=Decimal(5)), "acme")
    hours = [START + timedelta(hours=n) for n in range(60 * 24)]
    costs = {at: (50 + 20 * (at.hour > 8) + n % 3) * PICO for n, at in enumerate(hours)}
    batch = START + timedelta(days=10, hours=2)
    again = batch + timedelta(days=36)
    costs |= {batch: 400 * PICO, again: 400 * PICO}
    watched = unusual.watch(rule, {}, START, None, [Span(batch, batch + timedelta(hours=3))])
    found = unusual.feed(rule, watched, costs, hours[-1], START)
    assert again in {f.key.window for f in found if f.breached}
