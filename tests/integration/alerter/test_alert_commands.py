"""What people say about alerts, by the command line, on the real engine."""

from decimal import Decimal

import msgspec
import pytest
from tests.support.receiver import NEW_SECRET, receiving
from tests.support.rollup_rows import NOW, spend
from tests.support.stack import Stack, environment
from typer.testing import CliRunner

from outlay.catalog import load_default
from outlay.catalog.publish import publish
from outlay.cli.alerts import app
from outlay.main import app as whole
from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.service import Alerter
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.topics import create_topics
from outlay_schemas import topics
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.watch import Budget, Threshold

pytestmark = pytest.mark.stack


def waiting(clickhouse: ClickHouseClient) -> list[tuple[str, str]]:
    """Return (channel, state and level) of what was decided, Kafka left out."""
    rows = clickhouse.rows(
        "SELECT channel, JSONExtractString(body, 'state') AS s, JSONExtractString(body, 'level') AS l"
        " FROM alert_outbox FINAL WHERE channel != 'bus' ORDER BY created_at, channel"
    )
    return [(row["channel"], f"{row['s']} {row['l']}") for row in rows]


def test_alerts_are_listed_taken_in_hand_and_left_alone(
    stack: Stack, house: ClickHouseSettings, clickhouse: ClickHouseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_topics(stack.kafka, topics.ALL)
    publish(stack.kafka, load_default(), FakeClock(NOW))
    monkeypatch.setattr("outlay_kit.clock.SystemClock.now", lambda _: NOW)
    for name, value in environment(stack.kafka, house).items():
        monkeypatch.setenv(name, value)
    plan = Budget(
        id="b",
        name="B",
        tenant="*",
        amount=Decimal(10),
        rolling_days=30,
        thresholds=(Decimal(50), Decimal(100)),
    )
    catalog = Catalog(revision=1, created_at=NOW, budgets=(plan,))
    watch = Alerter(
        RollupReader(clickhouse), Store(clickhouse), FakeClock(NOW),
        watchlist=lambda: Watchlist(catalog), channels=["bus", "webhook"],
    )  # fmt: skip
    run = CliRunner()
    assert "no alerts are firing" in run.invoke(app, ["list"]).output
    assert "no budgets yet" in run.invoke(whole, ["budgets"]).output
    publish(stack.kafka, load_default().model_copy(update={"budgets": (plan,)}), FakeClock(NOW))
    spend(clickhouse, "12")
    watch.evaluate_all()
    assert waiting(clickhouse) == [("webhook", "firing 100")]  # 50 was crossed by the same jump
    (stands,) = msgspec.json.decode(run.invoke(whole, ["budgets", "--json"]).stdout)
    assert (stands["budget"], stands["standing"], stands["remaining"]) == ("b", "over", "-2")
    assert "$12.00" in run.invoke(whole, ["budgets", "--tenant", "acme"]).output
    listed = msgspec.json.decode(run.invoke(app, ["list", "--json"]).stdout)
    assert {row["state"] for row in listed} == {"firing"}
    assert {"rule", "scope", "actual", "expected", "tenant", "contributors"} <= set(listed[0])
    highest = next(row["id"] for row in listed if row["severity"] == "critical")
    assert {row["title"] for row in listed} == {"B budget: 120% used ($12.00 of $10.00)"}
    taken = run.invoke(app, ["ack", highest[:12], "--note", "a launch"])
    assert taken.exit_code == 0, taken.output
    watch.evaluate_all()
    assert waiting(clickhouse)[-1] == ("webhook", "acknowledged 100")
    left = msgspec.json.decode(
        run.invoke(app, ["deliveries", "--waiting", "--hours", "2160", "--json"]).stdout
    )
    assert {row["channel"] for row in left} == {"bus", "webhook"}
    assert "webhook" in run.invoke(app, ["deliveries", "--waiting", "--hours", "2160"]).output
    assert "no messages" in run.invoke(app, ["deliveries", "--dead"]).output
    assert run.invoke(app, ["ack", highest]).exit_code == 1
    assert run.invoke(app, ["snooze", "b", "--hours", "1000000"]).exit_code == 2
    assert run.invoke(app, ["snooze", "b", "--hours", "8760"]).exit_code == 0
    spend(clickhouse, "1", version=2)
    watch.evaluate_all()
    assert waiting(clickhouse)[-1] == ("webhook", "acknowledged 100")  # it resolved, and no one was notified
    assert "no alerts are firing" in run.invoke(app, ["list"]).output
    assert "resolved" in run.invoke(app, ["list", "--all", "--json"]).output


def test_a_sample_is_sent_to_the_channels_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    run = CliRunner()
    assert run.invoke(app, ["test"]).exit_code == 1
    with receiving() as receiver:
        monkeypatch.setenv("OUTLAY_ALERTER_WEBHOOK_URL", receiver.url)
        monkeypatch.setenv("OUTLAY_ALERTER_WEBHOOK_SECRET", NEW_SECRET)
        monkeypatch.setenv("OUTLAY_ALERTER_SLACK_URL", receiver.url)
        refused = run.invoke(app, ["test", "--json"])
        assert (refused.exit_code, receiver.got) == (1, [])
        shown = run.invoke(app, ["test"])
        assert (shown.exit_code, "Test failed: 2 of 2 channels" in shown.stdout) == (1, True)
        assert "webhook: failed: " in shown.stdout
        assert NEW_SECRET not in refused.output + shown.output
        assert receiver.url not in refused.output
        monkeypatch.setenv("OUTLAY_ALERTER_ALLOW_NETWORKS", "127.0.0.0/8")
        sent = run.invoke(app, ["test", "--json"])
        assert sent.exit_code == 0, sent.output
        assert [row["channel"] for row in msgspec.json.decode(sent.stdout)] == ["slack", "webhook"]
        assert run.invoke(app, ["test", "--channel", "slack"]).exit_code == 0
    assert len(receiver.got) == 3


def test_an_incident_is_one_line_and_is_acknowledged_by_the_id_of_any_part(
    stack: Stack, house: ClickHouseSettings, clickhouse: ClickHouseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outlay_kit.clock.SystemClock.now", lambda _: NOW)
    for name, value in environment(stack.kafka, house).items():
        monkeypatch.setenv(name, value)
    rules = [
        Threshold(id=name, name=name, metric="cost", grain="day", above=Decimal(above))
        for name, above in (("first", 5), ("second", 6), ("third", 7))
    ]
    catalog = Catalog(revision=1, created_at=NOW, rules=tuple(rules))
    watch = Alerter(
        RollupReader(clickhouse), Store(clickhouse), FakeClock(NOW),
        watchlist=lambda: Watchlist(catalog), channels=["bus", "webhook"],
    )  # fmt: skip
    spend(clickhouse, "12")
    watch.evaluate_all()
    run = CliRunner()
    alerts = msgspec.json.decode(run.invoke(app, ["list", "--json"]).stdout)
    assert sorted(alert["rule"] for alert in alerts) == ["first", "second", "third"]
    (incident,) = {alert["incident"]["id"] for alert in alerts}
    listed = run.invoke(app, ["list"]).output
    assert listed.count("firing") == 1
    assert "(3 alerts)" in listed
    assert incident in listed
    part = next(alert["id"] for alert in alerts if alert["id"] != incident)
    assert run.invoke(app, ["ack", part[:10]]).exit_code == 0
    watch.evaluate_all()
    alerts = msgspec.json.decode(run.invoke(app, ["list", "--json"]).stdout)
    assert {alert["state"] for alert in alerts} == {"acknowledged"}
    assert run.invoke(app, ["snooze", part[:10]]).output.startswith(incident)
