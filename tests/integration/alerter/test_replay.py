"""Rules tried on the past, by the command line and for a plan, on the real engine."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.support.stack import Stack, environment
from typer.testing import CliRunner

from outlay.catalog.rule_history import last_days, planned
from outlay.cli.alerts import app
from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.backtest.runner import on_series
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock, SystemClock
from outlay_kit.settings import ClickHouseSettings
from outlay_schemas.alerts import alert_decoder
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget, PriceChange, Threshold

pytestmark = pytest.mark.stack

NOW = SystemClock().now().replace(minute=0, second=0, microsecond=0)
RULES = """
- {type: threshold, id: expensive, name: Expensive, metric: cost, above: 100, group_by: [team], grain: hour}
- {type: anomaly, id: odd, name: Odd, group_by: [team]}
- {type: spend_spike, id: spike, name: Spike, group_by: [team]}
- {type: new_spender, id: new, name: New, group_by: [team]}
- {type: silence, id: mute, name: Mute, group_by: [team], minutes: 300}
- {type: price_change, id: ahead, name: Ahead}
"""
BUDGETS = (
    "- {id: growth, name: Growth, tenant: '*', amount: 24000,"
    " rolling_days: 20, scope: {team: growth}, thresholds: [10]}"
)


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock: an hour may begin between the import of this file and a test, and nothing was spent in it."""
    monkeypatch.setattr(SystemClock, "now", lambda _: NOW + timedelta(minutes=20))


def fill(house: ClickHouseClient) -> None:
    """Write 20 days of hours, one of them expensive, and the minutes and days of the same."""
    rows: dict[str, list[bytes]] = {"minute": [], "hour": [], "day": []}
    for n in range(20 * 24):
        at = NOW - timedelta(hours=20 * 24 - n)
        cost = 500 if n == 400 else 50 + 10 * (at.hour > 8) + n % 3
        group = {"team": "growth", "sku": "m", "cost": str(cost), "events": 1}
        for grain, window in (("minute", at), ("hour", at), ("day", at.replace(hour=0))):
            groups = [group] if grain != "day" else [{**group, "cost": "1400"}]
            row = {"tenant": "acme", "window": window, "version": n + 1, "groups": groups}
            rows[grain].append(msgspec.json.encode(row))
    for grain, lines in rows.items():
        house.insert_json_lines(f"rollup_{grain}", b"\n".join(lines))


def test_rules_are_tried_on_what_was_spent(
    stack: Stack,
    house: ClickHouseSettings,
    clickhouse: ClickHouseClient,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    fill(clickhouse)
    for name, value in environment(stack.kafka, house).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "budgets.yaml").write_text(BUDGETS)

    def fired(rule: str, *more: str) -> list[dict[str, str]]:
        call = ["backtest", "--rule", rule, "--catalog", str(tmp_path), "--days", "10", "--json", *more]
        answer = CliRunner().invoke(app, call)
        assert answer.exit_code == 0, answer.output
        found: list[dict[str, str]] = msgspec.json.decode(answer.stdout)["fired"]
        return found

    (expensive,) = fired("expensive")
    assert (expensive["scope"], expensive["actual"], expensive["expected"]) == (
        "team growth",
        "$500.00",
        "$100.00",
    )
    picture = tmp_path / "odd.svg"
    (odd,) = fired("odd", "--picture", str(picture))
    assert odd["at"] == expensive["at"]
    assert "it fires" in picture.read_text()
    assert [row["at"] for row in fired("spike")] == [odd["at"]]
    assert [len(fired(rule)) for rule in ("new", "mute")] == [0, 0]
    ahead = CliRunner().invoke(app, ["backtest", "--rule", "ahead", "--catalog", str(tmp_path)])
    assert ahead.exit_code == 1
    assert "ahead cannot be tried on the past" in " ".join(ahead.output.split())
    (growth,) = fired("growth")
    assert (growth["level"], growth["expected"]) == ("10", "$2,400.00")
    shown = CliRunner().invoke(
        app,
        ["backtest", "--rule", "expensive", "--catalog", str(tmp_path), "--days", "10", "--tenant", "acme"],
    )
    assert "expensive: fires 1 time in 10 days" in shown.output
    assert "would have saved" in shown.output
    assert CliRunner().invoke(app, ["backtest", "--rule", "x", "--catalog", str(tmp_path)]).exit_code == 1


def test_a_plan_shows_what_changed_rules_would_have_fired(clickhouse: ClickHouseClient) -> None:
    fill(clickhouse)
    rule = Threshold.model_validate(
        {"id": "expensive", "name": "D", "metric": "cost", "above": 1000, "group_by": ["team"]}
    )
    plan = Budget.model_validate(
        {"id": "gone", "name": "G", "tenant": "*", "amount": 5, "period": "day", "thresholds": [100]}
    )
    old = Catalog(revision=1, created_at=NOW, rules=(rule,), budgets=(plan,))
    new = Catalog(revision=2, created_at=NOW, rules=(rule.model_copy(update={"above": 60}),))
    span = last_days(SystemClock().now(), 5)
    rows = {row["rule"]: row for row in planned(clickhouse, old, new, span)}
    assert set(rows) == {"expensive", "gone"}
    assert rows["expensive"]["fired"] == 0
    assert int(str(rows["expensive"]["would_fire"])) > 0
    assert (rows["gone"]["would_fire"], rows["gone"]["saved"]) == (None, "$0.00")
    assert int(str(rows["gone"]["fired"])) >= 4
    assert planned(clickhouse, new, new, span) == []
    ahead = PriceChange(id="ahead", name="A")
    (row,) = planned(clickhouse, new, new.model_copy(update={"rules": (*new.rules, ahead)}), span)
    assert row["would_fire"] is None
    assert "ahead cannot be tried on the past" in str(row["newest"])


HOLD = {
    "id": "expensive", "name": "D", "metric": "cost", "above": 10, "group_by": ["team"],
    "for_minutes": 120, "margin": 5,
}  # fmt: skip
LINE = [1, 20, 30, 9, 12, 8, 4, 1, 15, 1, 40, 41, 42, 9, 9, 1, 11, 1, 11, 12, 1, 1]


def test_a_threshold_with_hold_and_margin_fires_as_often_live_as_in_backtest_and_plan(
    clickhouse: ClickHouseClient,
) -> None:
    rule = Threshold.model_validate(HOLD)
    old = Catalog(revision=1, created_at=NOW)
    new = Catalog(revision=2, created_at=NOW, rules=(rule,))
    begin = NOW - timedelta(hours=len(LINE))
    clock = FakeClock(begin)
    live = Alerter(
        RollupReader(clickhouse), Store(clickhouse), clock,
        watchlist=lambda: Watchlist(new), channels=["bus"],
    )  # fmt: skip
    for n, cost in enumerate(LINE):
        for part in (3, 6):  # an hour that fills, seen every half hour
            group = {"team": "growth", "sku": "m", "cost": str(cost * part / 6), "events": 1}
            for grain, window in (("minute", begin), ("hour", begin), ("day", begin)):
                at = window + timedelta(hours=n)
                at = at.replace(hour=0) if grain == "day" else at
                row = {"tenant": "acme", "window": at, "version": 10 * n + part, "groups": [group]}
                clickhouse.insert_json_lines(f"rollup_{grain}", msgspec.json.encode(row))
            clock.advance(1800)
            live.evaluate("acme", {clock.now()})
    clock.advance(600)
    live.tick()
    rows = clickhouse.rows("SELECT body FROM alert_outbox FINAL")
    fired = [a for row in rows if (a := alert_decoder.decode(row["body"])).state == "firing"]
    assert len(fired) == 3
    (plan,) = planned(clickhouse, old, new, last_days(SystemClock().now(), 2))
    assert plan["would_fire"] == 3
    series = [(begin + timedelta(hours=n), float(value)) for n, value in enumerate(LINE)]
    compiled = Watchlist(new).watches("acme")["expensive"]
    assert sum(point.fired for point in on_series(compiled, series)) == 3
