"""Buttons in Slack on the real engine: pressed once, twice, at two alerters, elsewhere, too late."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from starlette.testclient import TestClient
from tests.support.receiver import Receiver, receiving
from tests.support.rollup_rows import NOW, spend
from tests.support.slack_presses import (
    ACKNOWLEDGE,
    CHANNEL,
    DAY,
    HOUR,
    SIGNING_SECRET,
    body_of,
    payload,
    signed,
    target,
)  # fmt: skip

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import Store
from outlay_alerter.http_server import application
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_alerter.notify.routing import Routing
from outlay_alerter.notify.sample import alert as sample
from outlay_alerter.service import Alerter
from outlay_alerter.slack_actions.actions import SlackActions
from outlay_alerter.slack_actions.http import SlackActionsApi
from outlay_alerter.slack_actions.requests import Verifier
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.settings import ClickHouseSettings
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.channels import Route, RouteMatch, SlackBotChannel
from outlay_schemas.catalog.watch import Threshold

pytestmark = pytest.mark.stack

OTHER_CHANNEL = "C0999XYZ"
WHO = "kim (slack:U0456DEF)"
ONCALL, GROWTH = (
    SlackBotChannel(id=name, type="slack_bot", token="${env:OUTLAY_CHANNEL_ONCALL}", channel=place)
    for name, place in (("oncall", CHANNEL), ("growth", OTHER_CHANNEL))
)
RULE = Threshold(id="t", name="T", metric="cost", grain="day", above=Decimal(5), group_by=("team",))
CATALOG = Catalog(
    revision=1, created_at=NOW, rules=(RULE,), channels=(ONCALL, GROWTH),
    routes=(Route(match=RouteMatch(tenant=("acme",)), channels=("oncall",)),),
)  # fmt: skip


@dataclass
class Rig:
    """An alert of `acme` that fires, an alerter, and a Slack that takes replies."""

    clickhouse: ClickHouseClient
    receiver: Receiver
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    catalog: Catalog = CATALOG

    def __post_init__(self) -> None:
        spend(self.clickhouse, "6")
        self.alerter = Alerter(
            RollupReader(self.clickhouse), Store(self.clickhouse), self.clock,
            watchlist=lambda: Watchlist(self.catalog), channels=["bus"], renotify=timedelta(hours=1),
            routed=Routing(self.catalog.channels, self.catalog.routes),
        )  # fmt: skip
        self.alerter.evaluate_all()
        (row,) = self.clickhouse.rows("SELECT id FROM alerts FINAL")
        self.alert = str(row["id"])
        self.clock.advance(30)
        self.client = self.endpoint()

    def endpoint(self) -> TestClient:
        """Return the endpoint of an alerter of its own over the same store."""
        poster = HttpPoster(read_networks("127.0.0.0/8"), 5)
        actions = SlackActions(
            self.clickhouse,
            lambda: self.catalog,
            poster,
            self.clock,
            f"http://127.0.0.1:{self.receiver.port}/",
        )
        api = SlackActionsApi(Verifier([SIGNING_SECRET], self.clock), actions.apply)
        return TestClient(application(api.routes()))

    def press(
        self,
        action: str,
        *,
        incident: str = "",
        tenant: str = "acme",
        channel: str = CHANNEL,
        reply_to: str = "",
    ) -> str:
        """Press a button, and return what is replied; empty: nothing is."""
        sent = payload(action, target(incident or self.alert, tenant), reply_to or self.receiver.url)
        sent["channel"]["id"] = channel
        body, before = body_of(sent), len(self.receiver.got)
        answer = self.client.post("/slack/actions", content=body, headers=signed(body, self.clock.now()))
        assert (answer.status_code, answer.content) == (200, b"")
        self.clock.advance(2)
        return self.reply() if len(self.receiver.got) > before else ""

    def reply(self) -> str:
        said = json.loads(self.receiver.got[-1].body)
        assert (said["replace_original"], said["response_type"]) == (False, "in_channel")
        return str(said["text"])

    def actions(self) -> list[tuple[str, datetime | None, str]]:
        return [(one.action, one.until, one.actor) for one in Store(self.clickhouse).actions("acme")]

    def messages(self) -> list[str]:
        """Return the states that were sent to the channel oncall."""
        rows = self.clickhouse.rows(
            "SELECT JSONExtractString(body, 'state') AS s FROM alert_outbox FINAL WHERE channel = 'oncall'"
            " ORDER BY created_at, message_id"
        )
        return [row["s"] for row in rows]

    def audited(self) -> list[dict[str, object]]:
        return list(
            self.clickhouse.rows(
                "SELECT tenant, actor, action, subject, details FROM audit_log FINAL ORDER BY at"
            )
        )


@pytest.fixture
def rig(clickhouse: ClickHouseClient) -> Iterator[Rig]:
    with receiving() as receiver:
        yield Rig(clickhouse, receiver)


def test_an_acknowledgement_is_written_as_the_console_writes_it_and_ends_reminders(rig: Rig) -> None:
    rig.clock.advance(3600)
    rig.alerter.tick()
    assert rig.messages() == ["firing", "firing"], "reminders come until it is acknowledged"
    assert rig.press(ACKNOWLEDGE).startswith("Acknowledged by <@U0456DEF>: ")
    assert rig.actions() == [("acknowledged", None, WHO)]
    (entry,) = rig.audited()
    assert json.loads(str(entry.pop("details"))) == {"action": "acknowledged", "note": ""}
    assert entry == {"tenant": "acme", "actor": WHO, "action": "alerts.act", "subject": rig.alert}
    rig.alerter.tick()
    for _ in range(3):
        rig.clock.advance(3601)
        rig.alerter.tick()
    assert rig.messages() == ["firing", "firing", "acknowledged"]


def test_pressing_twice_acts_once_and_says_who_was_first(rig: Rig) -> None:
    rig.press(ACKNOWLEDGE)
    expected = f"Acknowledge: not done, the alert is acknowledged already by {WHO}"
    assert rig.press(ACKNOWLEDGE) == expected, "before the alerter applied it"
    rig.alerter.tick()
    assert rig.press(ACKNOWLEDGE) == expected
    assert len(rig.audited()) == 1


def test_a_worse_part_that_fires_after_an_acknowledgement_may_be_acknowledged_again(rig: Rig) -> None:
    rig.press(ACKNOWLEDGE)
    rig.alerter.tick()
    worse = RULE.model_copy(update={"id": "worse", "above": Decimal(7), "severity": "critical"})
    rig.catalog = CATALOG.model_copy(update={"rules": (RULE, worse)})
    spend(rig.clickhouse, "8", version=2)
    rig.alerter.evaluate("acme", {NOW})
    (incident,) = {row["incident"] for row in rig.clickhouse.rows("SELECT incident FROM alerts FINAL")}
    assert "firing" in {row["state"] for row in rig.clickhouse.rows("SELECT state FROM alerts FINAL")}
    rig.clock.advance(2)
    assert rig.press(ACKNOWLEDGE, incident=incident).startswith("Acknowledged by ")
    rig.alerter.tick()
    assert {row["state"] for row in rig.clickhouse.rows("SELECT state FROM alerts FINAL")} == {"acknowledged"}


@pytest.mark.parametrize(("button", "hours"), [(HOUR, 1), (DAY, 24)])
def test_a_snooze_ends_when_its_button_says(rig: Rig, button: str, hours: int) -> None:
    pressed = rig.clock.now()
    assert rig.press(button).startswith("Snoozed until <!date^")
    assert rig.actions() == [("snoozed", pressed + timedelta(hours=hours), WHO)]
    assert "snoozed already" in rig.press(button)
    rig.clock.advance(hours * 3600 - 120)
    rig.alerter.tick()
    assert rig.messages() == ["firing"]


def test_a_request_that_comes_again_at_another_alerter_changes_nothing(rig: Rig) -> None:
    body = body_of(payload(HOUR, target(rig.alert), rig.receiver.url))
    headers = signed(body, rig.clock.now())
    for client, status in ((rig.client, 200), (rig.client, 403), (rig.endpoint(), 200)):
        rig.clock.advance(100)
        assert client.post("/slack/actions", content=body, headers=headers).status_code == status
    assert "snoozed already" in rig.reply()
    assert (len(rig.actions()), len(rig.audited())) == (1, 1)


def test_only_alerts_that_the_channel_gets_are_acted_on(rig: Rig) -> None:
    spend(rig.clickhouse, "6", tenant="globex")
    rig.alerter.evaluate("globex", {NOW})
    (row,) = rig.clickhouse.rows("SELECT id FROM alerts FINAL WHERE tenant = 'globex'")
    for incident, tenant, channel in (
        (rig.alert, "acme", OTHER_CHANNEL),
        (rig.alert, "acme", "C0000000"),
        (rig.alert, "acme", ""),
        (rig.alert, "globex", CHANNEL),
        (row["id"], "globex", CHANNEL),
        (row["id"], "acme", CHANNEL),
        ("' OR 1", "acme", CHANNEL),
    ):
        reply = rig.press(ACKNOWLEDGE, incident=incident, tenant=tenant, channel=channel)
        assert reply == "Acknowledge: not done, this channel gets no such alert"
    rig.catalog = CATALOG.model_copy(update={"channels": (GROWTH,), "routes": ()})
    assert "no such alert" in rig.press(ACKNOWLEDGE), "the channel is not in the catalog any more"
    assert (rig.actions(), rig.audited()) == ([], [])


def test_an_alert_that_is_over_is_not_acted_on(rig: Rig) -> None:
    spend(rig.clickhouse, "1", version=2)
    rig.clock.advance(86_400)
    rig.alerter.tick()
    assert rig.press(ACKNOWLEDGE) == "Acknowledge: not done, the alert is resolved already"
    assert rig.press(HOUR) == "Snooze for 1 h: not done, the alert is resolved already"
    assert rig.actions() == []


def test_a_reply_goes_to_slack_and_nowhere_else(rig: Rig) -> None:
    port = rig.receiver.port
    for address in (
        "", f"http://localhost:{port}/hook", f"http://127.0.0.1:{port}@evil.example/", f"https://127.0.0.1:{port}/",
        f"http://evil@127.0.0.1:{port}/", f"//127.0.0.1:{port}/", "file:///etc/passwd", "http://169.254.169.254/",
    ):  # fmt: skip
        body = body_of(payload(HOUR, target(rig.alert), address))
        answer = rig.client.post("/slack/actions", content=body, headers=signed(body, rig.clock.now()))
        assert answer.status_code == 200
        rig.clock.advance(61)
    assert rig.receiver.got == []
    assert [kind for kind, _, _ in rig.actions()] == ["snoozed"], "it is done all the same"


def test_the_buttons_of_a_test_alert_say_that_they_work(rig: Rig) -> None:
    name = sample(rig.clock.now()).incident_id
    assert rig.press(ACKNOWLEDGE, incident=name, tenant="sample").startswith("The button works. <@U0456DEF>")
    assert rig.actions() == []


def test_while_clickhouse_is_away_the_reply_says_so() -> None:
    away = ClickHouseClient(ClickHouseSettings(url="http://127.0.0.1:9"))
    with receiving() as receiver:
        poster = HttpPoster(read_networks("127.0.0.0/8"), 5)
        actions = SlackActions(away, lambda: CATALOG, poster, FakeClock(NOW), receiver.url)
        client = TestClient(
            application(SlackActionsApi(Verifier([SIGNING_SECRET], FakeClock(NOW)), actions.apply).routes())
        )
        body = body_of(payload(ACKNOWLEDGE, target("a1"), receiver.url))
        assert client.post("/slack/actions", content=body, headers=signed(body, NOW)).status_code == 200
        said = json.loads(receiver.got[0].body)["text"]
    assert said == "Acknowledge: not done, the store is unavailable; try again in a minute"
