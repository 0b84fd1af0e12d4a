"""Thresholds, new spenders and silences on the real engine."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
import pytest
from tests.support.rollup_rows import NOW

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.rules.watch import Watch
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.alerts import Alert, alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import NewSpender, Silence, Threshold

pytestmark = pytest.mark.stack

RULES = (
    Threshold.model_validate(
        {"id": "unpriced", "name": "U", "metric": "unpriced_events", "above": 0, "group_by": ["sku"]}
    ),
    Threshold.model_validate(
        {"id": "cache", "name": "C", "metric": "cache_hit_rate", "below": 50, "scope": {"team": ["growth"]}}
    ),
    Threshold.model_validate(
        {"id": "tokens", "name": "T", "metric": "usage", "meter": "input_tokens", "above": 900}
    ),
    NewSpender(id="new", name="N", group_by=("team", "sku")),
    Silence(id="silent", name="S", group_by=("team",), minutes=60),
)


def write(house: ClickHouseClient, at: datetime, sku: str, version: int = 1, **measures: object) -> None:
    group = {"team": "growth", "sku": sku, "cost": "2", "events": 4, **measures}
    hour, day = at.replace(minute=0), at.replace(hour=0, minute=0)
    for grain, window in (("minute", at), ("hour", hour), ("day", day)):
        row = {"tenant": "acme", "window": window, "version": version, "groups": [group]}
        house.insert_json_lines(f"rollup_{grain}", msgspec.json.encode(row))


def newest_alerts(house: ClickHouseClient) -> dict[str, Alert]:
    rows = house.rows("SELECT body FROM alerts FINAL")
    alerts = [alert_decoder.decode(row["body"]) for row in rows]
    return {a.rule: a for a in alerts}


@pytest.mark.parametrize("ends", ["priced again", "a later call has a price", "moved away"])
@pytest.mark.parametrize("metric", ["unpriced_events", "unpriced_share"])
def test_usage_without_a_price_is_over_when_there_is_a_price(
    clickhouse: ClickHouseClient, ends: str, metric: str
) -> None:
    """Hours in which no one uses the model show nothing; neither do other models."""
    clock = FakeClock(NOW + timedelta(minutes=5))
    rule = Threshold.model_validate(
        {"id": "unpriced", "name": "U", "metric": metric, "above": 0, "group_by": ["sku"]}
    )
    watch = Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(Catalog(revision=1, created_at=NOW, rules=(rule,))), channels=["bus"],
    )  # fmt: skip
    write(clickhouse, NOW - timedelta(hours=5), "past", unpriced_events=1)
    write(clickhouse, NOW - timedelta(minutes=30), "gpt-6", unpriced_events=3)
    watch.tick()
    for hours in (1, 3, 12, 24, 24):
        clock.advance(hours * 3600)
        write(clickhouse, clock.now().replace(second=0, microsecond=0), "other")
        watch.tick()
        [(state, scope)] = {(a.state, a.scope["sku"]) for a in newest_alerts(clickhouse).values()}
        assert (state, scope) == ("firing", "gpt-6"), hours
    if ends == "priced again":
        write(clickhouse, NOW - timedelta(minutes=30), "gpt-6", version=2)
    elif ends == "moved away":
        write(clickhouse, NOW - timedelta(minutes=30), "gpt-6-mini", version=2)
    else:
        write(clickhouse, clock.now().replace(second=0, microsecond=0) - timedelta(hours=1), "gpt-6")
    watch.tick()
    assert {a.state for a in newest_alerts(clickhouse).values()} == {"resolved"}


def test_each_rule_fires_for_its_reason_and_silence_ends(clickhouse: ClickHouseClient) -> None:
    clock = FakeClock(NOW + timedelta(minutes=5))
    watch = Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(Catalog(revision=1, created_at=NOW, rules=RULES)), channels=["bus"],
    )  # fmt: skip
    write(clickhouse, NOW - timedelta(days=9), "old")
    meters = {"input_tokens": "1000", "cache_read_tokens": "100"}
    write(clickhouse, NOW - timedelta(minutes=30), "gpt-6", unpriced_events=3, usage=meters)
    watch.tick()
    found = newest_alerts(clickhouse)
    assert set(found) == {"unpriced", "cache", "tokens", "new"}
    assert (found["unpriced"].scope, found["unpriced"].actual, found["unpriced"].unit) == (
        {"sku": "gpt-6"}, "3", "unpriced events",
    )  # fmt: skip
    assert (found["cache"].actual, found["cache"].expected) == ("10", "50")
    assert (found["tokens"].actual, found["tokens"].unit) == ("1000", "input_tokens")
    assert found["new"].scope == {"team": "growth", "sku": "gpt-6"}
    assert found["new"].contributors
    clock.advance(3600)
    watch.tick()
    assert newest_alerts(clickhouse)["silent"].state == "firing"
    assert newest_alerts(clickhouse)["tokens"].state == "resolved"
    write(clickhouse, clock.now().replace(second=0, microsecond=0), "old")
    watch.tick()
    assert newest_alerts(clickhouse)["silent"].state == "resolved"


def test_of_the_scopes_that_cost_little_only_those_with_an_open_alert_are_read(
    clickhouse: ClickHouseClient,
) -> None:
    rule = Watch(id="spike", name="S", tenant="acme", by=("team", "sku"))
    for ago, (sku, cost) in enumerate((("large", "5"), ("small", "0.1"), ("it's \\ open", "0.1"))):
        write(clickhouse, NOW - timedelta(minutes=ago), sku, cost=cost)
    write(clickhouse, NOW - timedelta(minutes=50), "gone", cost="1")
    starts = [NOW - timedelta(minutes=n) for n in range(60, -1, -1)]

    def read(always: Sequence[tuple[str, str]]) -> set[str]:
        least = 2 * 10**12
        return {
            sku
            for _, sku in RollupReader(clickhouse).windows(rule, starts, "minute", least=least, always=always)
        }

    written = {sku for _, sku in RollupReader(clickhouse).windows(rule, starts, "minute")}
    assert read([]) == {"large"} & written
    assert read([("growth", sku) for sku in ("it's \\ open", "gone", "never there")]) == written - {"small"}
