"""A thousand scopes that fire at once: one message a channel. Digests, and channels that come and go."""

import json
import time
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest
from tests.support.alerts import alert
from tests.support.channel_messages import check_slack, check_teams
from tests.support.receiver import NEW_SECRET, Receiver, receiving
from tests.support.rollup_rows import NOW
from tests.support.slack_api import CHANNEL, TOKEN, SlackApi, slack_api
from tests.support.waiting import until

from outlay_alerter.adapters.rollup_reader import RollupReader
from outlay_alerter.alerts.store import AlertUpdate, Store
from outlay_alerter.notify.delivery_manager import DeliveryManager
from outlay_alerter.notify.outbox import Outbox
from outlay_alerter.service import Alerter
from outlay_alerter.settings import Settings
from outlay_alerter.watchlist import Watchlist
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock, SystemClock
from outlay_kit.settings import ClickHouseSettings
from outlay_schemas.alerts import Alert
from outlay_schemas.catalog import Catalog

pytestmark = pytest.mark.stack
SCOPES = 1000


def catalog(**more: object) -> Catalog:
    channels = [
        {"id": "chat", "type": "slack", "url": "${env:OUTLAY_CHANNEL_SLACK}"},
        {"id": "bot", "type": "slack_bot", "token": "${env:OUTLAY_CHANNEL_TOKEN}", "channel": CHANNEL,
         "picture": False},
        {"id": "teams", "type": "teams", "url": "${env:OUTLAY_CHANNEL_TEAMS}"},
        {"id": "hook", "type": "webhook", "url": "${env:OUTLAY_CHANNEL_HOOK}",
         "secret": "${env:OUTLAY_CHANNEL_SECRET}"},
        {"id": "pager", "type": "pagerduty", "routing_key": "${env:OUTLAY_CHANNEL_NOT_SET}"},
    ]  # fmt: skip
    rule = {"type": "threshold", "id": "team-cost", "name": "Team cost", "group_by": ["team"], "metric": "cost",
            "grain": "minute", "above": 10}  # fmt: skip
    known = {"revision": 1, "created_at": NOW, "channels": channels, "rules": [rule], **more}
    return Catalog.model_validate(known)


class Board:
    """A running delivery manager, and its receivers."""

    def __init__(self, house: ClickHouseSettings, hooks: dict[str, Receiver], api: SlackApi) -> None:
        self.stopped = False
        self.hooks, self.api = hooks, api
        settings = Settings(
            clickhouse=house, allow_networks="127.0.0.0/8", slack_api=api.url, channel_seconds=5
        )  # fmt: skip
        self.board = DeliveryManager(settings, SystemClock(), lambda: self.stopped, lambda: True)

    def counts(self) -> dict[str, int]:
        return {name: len(hook.got) for name, hook in self.hooks.items()} | {"bot": len(self.api.messages)}


@pytest.fixture
def posts(house: ClickHouseSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    with receiving() as chat, receiving() as teams, receiving() as hook, slack_api() as api:
        for name, value in {
            "SLACK": chat.url, "TOKEN": TOKEN, "TEAMS": teams.url, "HOOK": hook.url, "SECRET": NEW_SECRET,
        }.items():  # fmt: skip
            monkeypatch.setenv(f"OUTLAY_CHANNEL_{name}", value)
        found = Board(house, {"chat": chat, "teams": teams, "hook": hook}, api)
        yield found
        found.stopped = True
        found.board.wake()
        found.board.join()


def decided(one: Alert) -> AlertUpdate:
    return AlertUpdate(one, 1, one.state)


def test_a_thousand_scopes_that_fire_at_once_are_one_message_a_channel(
    clickhouse: ClickHouseClient, posts: Board
) -> None:
    for grain, window in {"minute": NOW, "hour": NOW, "day": NOW.replace(hour=0)}.items():
        groups = [{"team": f"t{n:04d}", "sku": "m", "cost": str(20 + n), "events": 1} for n in range(SCOPES)]
        row = {"tenant": "acme", "window": window, "version": 1, "groups": groups}
        clickhouse.insert_json_lines(f"rollup_{grain}", msgspec.json.encode(row))
    posts.board.follow(catalog())
    posts.board.start()
    began = time.monotonic()
    Alerter(
        RollupReader(clickhouse), Store(clickhouse), FakeClock(NOW + timedelta(seconds=30)),
        watchlist=lambda: Watchlist(catalog()), channels=[], routed=posts.board.route, decided=posts.board.wake,
    ).evaluate_all()  # fmt: skip
    took = time.monotonic() - began
    everybody = {"chat": 1, "teams": 1, "hook": 1, "bot": 1}
    until(lambda: posts.counts() == everybody)
    print(  # noqa: T201 (figures: pytest -s)
        f"\n{SCOPES} alerts: decided in {took:.2f} s, sent to 4 channels in"
        f" {time.monotonic() - began:.2f} s by {sum(posts.counts().values())} messages"
    )
    check_slack(json.loads(posts.hooks["chat"].got[0].body))
    check_teams(json.loads(posts.hooks["teams"].got[0].body))
    assert json.loads(posts.hooks["hook"].got[0].body)["data"]["count"] == SCOPES
    states = (
        "SELECT channel, state, count() AS n FROM alert_outbox FINAL GROUP BY channel, state ORDER BY channel"
    )

    def sent() -> dict[str, str]:
        return {row["channel"]: row["state"] for row in clickhouse.rows(states) if row["n"] == SCOPES}

    until(lambda: sent() == dict.fromkeys(("chat", "teams", "hook", "bot"), "sent") | {"pager": "waiting"})
    assert posts.counts() == everybody
    log = Outbox(clickhouse)
    assert len(log.messages("waiting", "pager", NOW)) == SCOPES
    tries = [row for row in log.attempts("", NOW) if row["channel"] == "pager"]
    assert {row["reason"] for row in tries} == {
        "neither OUTLAY_CHANNEL_NOT_SET nor OUTLAY_CHANNEL_NOT_SET_FILE is set in the alerter's environment"
    }


def test_low_severities_are_sent_as_one_digest_and_others_at_once(
    clickhouse: ClickHouseClient, posts: Board
) -> None:
    digest = {"id": "chat", "type": "slack", "url": "${env:OUTLAY_CHANNEL_SLACK}", "digest": {"minutes": 60}}
    wanted = catalog(channels=[digest])
    now = SystemClock().now()
    posts.board.follow(wanted)
    posts.board.start()
    ago = now - timedelta(hours=3)
    quiet = [alert(f"a{n}", severity="info", at=ago) for n in range(3)]
    later = [alert(f"b{n}", severity="info", at=now) for n in range(3)]
    loud = alert("c", severity="critical", at=ago)
    Store(clickhouse).decide([decided(one) for one in [*quiet, *later, loud]], [], posts.board.route)
    posts.board.wake()
    until(lambda: posts.counts()["chat"] == 2)
    time.sleep(0.5)
    bodies = [json.loads(got.body)["text"] for got in posts.hooks["chat"].got]
    assert sum("3 alerts from growth" in text for text in bodies) == 1
    assert sum("alerts from growth" not in text for text in bodies) == 1
    assert len(Outbox(clickhouse).messages("waiting", "chat", ago)) == 3


def test_channels_come_and_go_with_the_catalog(clickhouse: ClickHouseClient, posts: Board) -> None:
    posts.board.follow(catalog(channels=[]))
    posts.board.start()
    Store(clickhouse).decide([decided(alert("a", at=NOW))], [], posts.board.route)
    routes = [{"match": {"severity": "critical"}, "channels": ["hook"]}, {"channels": ["chat"]}]
    posts.board.follow(catalog(routes=routes))
    Store(clickhouse).decide([decided(alert("b", at=NOW))], [], posts.board.route)
    posts.board.wake()
    until(lambda: posts.counts() == {"chat": 1, "teams": 0, "hook": 0, "bot": 0})
    posts.board.follow(catalog(channels=[]))
    Store(clickhouse).decide([decided(alert("c", at=NOW))], ["chat"], posts.board.route)
    posts.board.wake()
    time.sleep(0.5)
    assert posts.counts()["chat"] == 1
    posts.board.follow(catalog())  # it is back, and tells what waited
    posts.board.wake()
    until(lambda: posts.counts()["chat"] == 2)
