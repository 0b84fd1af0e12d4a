"""A button pressed in Slack, from the message of a running alerter to the pages of the console."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import msgspec
import pytest
from tests.support.console_rig import NOW as CONSOLE_NOW
from tests.support.console_rig import Rig as ConsoleRig
from tests.support.console_rig import dependencies
from tests.support.processes import Service
from tests.support.receiver import receiving
from tests.support.rollup_rows import spend
from tests.support.slack_api import CHANNEL, TOKEN, slack_api
from tests.support.slack_presses import ACKNOWLEDGE, SIGNING_SECRET, body_of, payload, signed
from tests.support.stack import Stack, environment
from tests.support.waiting import until
from typer.testing import CliRunner

from outlay.catalog.publish import newest, publish
from outlay.cli.alerts import app
from outlay.embedded.ports import free_port
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.keys import KeyFile
from outlay_kit.settings import ClickHouseSettings, KafkaSettings
from outlay_schemas.catalog.channels import SlackBotChannel
from outlay_schemas.catalog.watch import Threshold

pytestmark = pytest.mark.stack

WHO = "kim (slack:U0456DEF)"
ONCALL = SlackBotChannel(id="oncall", type="slack_bot", token="${env:OUTLAY_CHANNEL_ONCALL}", channel=CHANNEL)
RULE = Threshold(id="t", name="T", metric="cost", grain="day", above=Decimal(5), group_by=("team",))


@contextmanager
def published(kafka: KafkaSettings) -> Iterator[None]:
    """Publish a catalog with the rule and the channel, then the one before: other tests use the same Kafka."""
    catalog = newest(kafka)
    assert catalog is not None
    changes = {"budgets": (), "rules": (RULE,), "channels": (ONCALL,), "routes": ()}
    publish(kafka, catalog.model_copy(update=changes), SystemClock())
    try:
        yield
    finally:
        publish(kafka, catalog, SystemClock())


def _acknowledged_in_slack(
    kafka: KafkaSettings, house: ClickHouseSettings, clickhouse: ClickHouseClient, folder: Path
) -> str:
    """Run an alerter until its alert was acknowledged by a button, and no reminder came after; return the alert."""
    port = free_port()
    spend(clickhouse, "6", at=SystemClock().now())
    with published(kafka), slack_api() as slack, receiving() as receiver:
        env = {
            **environment(kafka, house), "OUTLAY_ALERTER_GROUP": f"alerter-{house.database}",
            "OUTLAY_ALERTER_SLACK_API": slack.url, "OUTLAY_CHANNEL_ONCALL": TOKEN,
            "OUTLAY_ALERTER_SLACK_SIGNING_SECRET": SIGNING_SECRET, "OUTLAY_ALERTER_PORT": str(port),
            "OUTLAY_ALERTER_ALLOW_NETWORKS": "127.0.0.0/8", "OUTLAY_ALERTER_TICK_SECONDS": "1",
            "OUTLAY_ALERTER_RENOTIFY_HOURS": "0.001", "TEST_RESPONSE_URLS": receiver.url,
        }  # fmt: skip
        alerter = Service("tests.support.slack_alerter", folder / "alerter.log", env)
        alerter.start()
        until(lambda: len(slack.messages) >= 2, 60, "the alert, and a reminder 4 s later")
        (first, *_), sent = slack.messages, next(iter(slack.messages.values()))
        acting = {
            one["action_id"]: one for b in sent["blocks"] if b["type"] == "actions" for one in b["elements"]
        }
        value = acting[ACKNOWLEDGE]["value"]
        body = body_of(payload(ACKNOWLEDGE, value, receiver.url))
        url, headers = f"http://127.0.0.1:{port}/slack/actions", signed(body, SystemClock().now())
        assert (
            httpx.post(url, content=body, headers={**headers, "x-slack-signature": "v0=0"}).status_code == 403
        )
        answer = httpx.post(url, content=body, headers=headers, timeout=3)  # Slack waits no longer
        assert (answer.status_code, answer.content) == (200, b"")
        assert httpx.post(url, content=body, headers=headers).status_code == 403
        until(lambda: receiver.got, 30, "the reply")
        reply = json.loads(receiver.got[0].body)
        assert reply["text"].startswith("Acknowledged by <@U0456DEF>: ")
        until(lambda: ":eyes:" in json.dumps(slack.messages[first]), 30, "the message is updated")
        assert "action_id" not in json.dumps(slack.messages[first])
        count = len(slack.messages)
        until(lambda: _ticks(clickhouse, alerter, 3), 60, "evaluations after the acknowledgement")
        assert len(slack.messages) == count, "no further reminder"
        assert alerter.stop() == 0
    return str(json.loads(value)["incident"])


def _ticks(clickhouse: ClickHouseClient, alerter: Service, seconds: int) -> bool:
    """Let the alerter evaluate for some seconds, more than it waits for a reminder."""
    assert not alerter.ended()
    (row,) = clickhouse.rows(
        "SELECT toUnixTimestamp(now()) - toUnixTimestamp(max(decided_at)) AS age FROM alerts"
    )
    return int(row["age"]) > seconds + 6


async def test_a_button_pressed_in_slack_acknowledges_the_alert_of_a_running_alerter(
    kafka: KafkaSettings, house: ClickHouseSettings, clickhouse: ClickHouseClient, stack: Stack, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    incident = _acknowledged_in_slack(kafka, house, clickhouse, tmp_path)
    for name, setting in environment(kafka, house).items():
        monkeypatch.setenv(name, setting)
    (listed,) = msgspec.json.decode(CliRunner().invoke(app, ["list", "--json"]).stdout)
    assert (listed["id"], listed["state"], listed["facts"]["acknowledged"]) == (
        incident,
        "acknowledged",
        f"by {WHO}",
    )
    reader = stack.reader.model_copy(update={"database": house.database})
    key = KeyFile(tmp_path / "keys.json").create("acme", ("read", "admin"), CONSOLE_NOW)
    console = ConsoleRig(dependencies(stack, reader, tmp_path), tmp_path / "keys.json", {"acme": key}, [])
    browser = await console.logged_in()
    page = (await browser.get(f"/alerts/{incident}")).text
    assert f"Acknowledged</b> by {WHO}" in page
    assert f"Acknowledged by {WHO}</li>" in page.split('id="timeline"')[1]
    assert WHO in (await browser.get("/audit")).text
