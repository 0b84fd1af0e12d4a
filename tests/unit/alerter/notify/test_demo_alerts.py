"""Alerts of `outlay demo` leave by no channel that a person configured."""

import json
from collections.abc import Mapping

import pytest
from tests.support.alerts import AT, alert
from tests.support.channel_examples import example
from tests.support.fake_broker import FakeBroker, FakeSink

from outlay.demo.run import demo_budgets
from outlay_alerter.alerts.store import AlertUpdate, Store
from outlay_alerter.notify.channel_registry import KINDS, remote
from outlay_alerter.notify.channels.builtin import KafkaChannel, LogChannel
from outlay_alerter.notify.delivery_manager import DeliveryManager
from outlay_alerter.notify.routing import BUILTIN
from outlay_alerter.settings import Settings
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.channels import Channel, Route
from outlay_schemas.tenants import DEMO_TENANT

SETTINGS = {
    "webhook": {"webhook_url": "https://a.example", "webhook_secret": "whsec_" + "eHh4" * 8},
    "slack": {"slack_url": "https://a.example"},
    "pagerduty": {"pagerduty_key": "k"},
    "alertmanager": {"alertmanager_url": "https://a.example"},
}
"""The settings of every channel that the environment can name."""


class Written(ClickHouseClient):
    """Keeps the outbox's rows."""

    def __init__(self) -> None:
        self.outbox = list[dict[str, str]]()

    def rows(self, *_: object, **__: object) -> list[dict[str, object]]:
        """Return that nothing was sent before."""
        return []

    def insert_json_lines(self, table: str, lines: bytes, settings: object = None) -> None:
        """Keep rows of the outbox."""
        if table == "alert_outbox":
            self.outbox += [json.loads(line) for line in lines.splitlines()]


def receivers(
    tenant: str, *channels: Channel, routes: tuple[Route, ...] = (), settings: Mapping[str, str] = {}
) -> set[str]:
    """Return the channels that an alert of a tenant is written for."""
    known, clock, written = Settings.model_validate(settings), SystemClock(), Written()
    board = DeliveryManager(known, clock, lambda: False, lambda: True)
    board.add_fixed([KafkaChannel(FakeSink(FakeBroker())), LogChannel(), *remote(known, clock)])
    board.follow(Catalog(revision=1, created_at=AT, channels=channels, routes=routes))
    one = alert(tenant=tenant, severity="critical")
    Store(written).decide([AlertUpdate(one, 1, "firing")], board.fixed, board.route)
    return {row["channel"] for row in written.outbox}


@pytest.mark.parametrize("name", KINDS)
def test_no_channel_of_the_catalog_gets_an_alert_of_the_demo(name: str) -> None:
    channel = example(name)
    assert receivers("acme", channel) == {*BUILTIN, channel.id}
    assert receivers(DEMO_TENANT, channel) == set(BUILTIN)


def test_not_even_a_route_for_the_tenant_leads_an_alert_of_the_demo_to_a_channel() -> None:
    channel = example("slack")
    route = Route.model_validate({"match": {"tenant": ["acme", DEMO_TENANT]}, "channels": [channel.id]})
    assert receivers("acme", channel, routes=(route,)) == {*BUILTIN, channel.id}
    assert receivers(DEMO_TENANT, channel, routes=(route,)) == set(BUILTIN)


@pytest.mark.parametrize("name", SETTINGS)
def test_no_channel_of_the_environment_gets_an_alert_of_the_demo(name: str) -> None:
    assert receivers("acme", settings=SETTINGS[name]) == {*BUILTIN, name}
    assert receivers(DEMO_TENANT, settings=SETTINGS[name]) == set(BUILTIN)


def test_every_channel_that_the_environment_can_name_is_tested() -> None:
    every = Settings.model_validate({key: value for some in SETTINGS.values() for key, value in some.items()})
    assert {channel.name for channel in remote(every, SystemClock())} == set(SETTINGS)
    fields = {f for f in Settings.model_fields if f.endswith(("_url", "_key")) and f != "console_url"}
    assert fields - {"pagerduty_url"} <= {key for some in SETTINGS.values() for key in some}


def test_the_built_in_channels_are_the_topic_and_the_log() -> None:
    assert (KafkaChannel.name, LogChannel.name) == BUILTIN


def test_every_budget_of_the_demo_is_its_tenants() -> None:
    assert {budget.tenant for budget in demo_budgets()} == {DEMO_TENANT}
