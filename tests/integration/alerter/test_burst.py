"""One user's burst, as an engineer on call reads it: who, how much, how fast, since when, and why."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from tests.integration.alerter.spend import NOW
from tests.integration.reports.ledger import cost_event, write

from outlay_alerter.adapters.measures import Measures
from outlay_alerter.adapters.store import Store
from outlay_alerter.adapters.sums import Sums
from outlay_alerter.adapters.watchlist import Watchlist
from outlay_alerter.service import Alerter
from outlay_kit.clock import FakeClock
from outlay_kit.settings import WarehouseSettings
from outlay_kit.spans import Span
from outlay_kit.warehouse import Warehouse
from outlay_reports.adapters.books import Books
from outlay_reports.compare import THING, compare
from outlay_reports.question import Question
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import AlertRule, Budget, Burn, SpendSpike
from outlay_schemas.events import CostEvent
from outlay_schemas.money import to_usd

pytestmark = pytest.mark.stack

BURST = NOW - timedelta(minutes=2)
"""The minute in which u-loop spends."""


def alerts_of(
    warehouse: Warehouse, *, budgets: Sequence[Budget] = (), rules: Sequence[AlertRule] = ()
) -> dict[str, Alert]:
    """Evaluate once at NOW, and return what fires by rule and level."""
    catalog = Catalog(revision=1, created_at=NOW, budgets=tuple(budgets), rules=tuple(rules))
    Alerter(
        Sums(warehouse), Store(warehouse), FakeClock(NOW), measures=Measures(warehouse),
        watchlist=lambda: Watchlist(catalog), channels=["bus"],
    ).evaluate_all()  # fmt: skip
    rows = warehouse.rows("SELECT body FROM alerts FINAL WHERE state = 'firing'")
    found = [alert_decoder.decode(row["body"]) for row in rows]
    return {f"{one.rule} {one.level}": one for one in found}


def quiet_month(*, tokens: int = 10) -> list[CostEvent]:
    """Return what u-5 and u-4 spend all month, the same each hour."""
    return [
        cost_event("acme", 2 * n + k, NOW - timedelta(hours=n, minutes=5), cost, user=user, tokens=tokens)
        for n in range(23 * 24)
        for k, (user, cost) in enumerate((("u-5", "0.05"), ("u-4", "0.04")))
    ]


def test_a_burn_rate_alert_speaks_of_its_own_window(house: WarehouseSettings, warehouse: Warehouse) -> None:
    burst = [
        cost_event("acme", 10_000 + n, BURST, "0.1969", user="u-loop", sku="gpt-5-pro") for n in range(100)
    ]
    write(house, [*quiet_month(), *burst])
    month = Budget(
        id="b", name="B", amount=Decimal(400), thresholds=(), burn=(Burn(hours=Decimal(1), rate=Decimal("14.4")),)
    )  # fmt: skip
    alert = alerts_of(warehouse, budgets=[month])["b burn-1h"]
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
    house: WarehouseSettings, warehouse: Warehouse
) -> None:
    """Twice the tokens in as many events are more volume, not a higher price."""
    before = [cost_event("acme", n, NOW - timedelta(hours=1, minutes=n), "1", tokens=999) for n in range(50)]
    after = [cost_event("acme", 100 + n, NOW - timedelta(minutes=n), "3", tokens=1999) for n in range(50)]
    write(house, [*before, *after])
    hour = Budget(
        id="b", name="B", amount=Decimal(100), rolling_days=1, thresholds=(),
        burn=(Burn(hours=Decimal(1), rate=Decimal(2)),),
    )  # fmt: skip
    alert = alerts_of(warehouse, budgets=[hour])["b burn-1h"]
    assert {e.kind: e.cost for e in alert.effects} == {"volume": "50", "price": "50"}
    books, window = Books(warehouse), Span(alert.window, alert.window_end or NOW)
    cells = [
        books.cells(Question(span, ZoneInfo("UTC"), THING, {}, ("acme",))) for span in (window.before, window)
    ]
    assert {name: to_usd(cost) for name, cost in compare(cells[0], cells[1], 0).all.effects.items() if cost} == {
        "volume": "50", "price": "50",
    }  # fmt: skip


def test_a_spike_is_compared_with_what_made_it_a_spike(
    house: WarehouseSettings, warehouse: Warehouse
) -> None:
    """Not with the minute before, in which it had begun to rise."""
    calm = [cost_event("acme", n, NOW - timedelta(minutes=n), "0.1", tokens=99) for n in range(1, 121)]
    rising = cost_event("acme", 900, NOW - timedelta(minutes=1), "2.4", tokens=2399)
    burst = cost_event("acme", 901, NOW, "10.8", tokens=10_799)
    write(house, [*calm, rising, burst])
    spike = SpendSpike(id="s", name="S", by=("team",), grain="minute", min_usd=Decimal(1))
    alert = alerts_of(warehouse, rules=[spike])["s spike"]
    assert alert.compared == "the average minute of the 2 hours before"
    assert sum(Decimal(e.cost) for e in alert.effects) == Decimal("10.8") - Decimal("14.4") / 120
    assert max(alert.effects, key=lambda e: Decimal(e.cost)).kind == "volume"
