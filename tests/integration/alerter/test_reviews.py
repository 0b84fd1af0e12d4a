"""Scheduled reviews on the real engine: once a period, through deaths and by two alerters, with correct figures."""

import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.support.channel_messages import check_slack
from tests.support.receiver import receiving
from tests.support.rollup_rows import spend

from outlay_alerter.digests import DigestScheduler
from outlay_alerter.notify.channels.slack import Slack
from outlay_alerter.notify.delivery_worker import DeliveryWorker
from outlay_alerter.notify.http_post import HttpPoster, read_networks
from outlay_alerter.notify.outbox import Outbox
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery, total
from outlay_reports.money import dollars
from outlay_schemas.catalog import Catalog
from outlay_schemas.catalog.channels import Review

pytestmark = pytest.mark.stack

BERLIN = ZoneInfo("Europe/Berlin")
DUE = datetime(2026, 11, 23, 8, tzinfo=UTC)
"""A Monday, 09:00 in Berlin."""
WEEKLY = Review(id="weekly", at="09:00", timezone="Europe/Berlin", channels=("slack", "mail"))
CATALOG = Catalog(revision=1, created_at=DUE, reviews=(WEEKLY,))


def reviewer(clickhouse: ClickHouseClient, clock: FakeClock, catalog: Catalog = CATALOG) -> DigestScheduler:
    return DigestScheduler(clickhouse, clock, lambda: catalog, console="https://outlay.example")


def messages(clickhouse: ClickHouseClient) -> list[tuple[str, str, str]]:
    rows = clickhouse.rows(
        "SELECT message_id, channel, state FROM alert_outbox FINAL ORDER BY created_at, channel"
    )
    return [(row["message_id"], row["channel"], row["state"]) for row in rows]


def name(at: datetime) -> str:
    return f"rev_weekly.{int(at.timestamp())}"


def test_a_review_is_sent_once_a_week_whoever_makes_it_and_however_often_they_die(
    clickhouse: ClickHouseClient,
) -> None:
    spend(clickhouse, "120", at=DUE - timedelta(days=3))
    clock = FakeClock(DUE - timedelta(days=1))
    assert reviewer(clickhouse, clock).turn() == 0  # new: the last one was before it was set up
    clock.advance(86_400 - 1)
    first, second = reviewer(clickhouse, clock), reviewer(clickhouse, clock)
    assert (first.turn(), second.turn()) == (0, 0)
    clock.advance(2)
    assert (first.turn(), first.turn(), second.turn()) == (1, 0, 0)
    assert reviewer(clickhouse, clock).turn() == 0  # started again
    expected = [(name(DUE), channel, "waiting") for channel in ("mail", "slack")]
    assert messages(clickhouse)[2:] == expected
    with receiving() as receiver:
        receiver.script = [(200, {}, b"ok")]
        slack = Slack("slack", receiver.url, HttpPoster(read_networks("127.0.0.0/8"), 5))
        assert DeliveryWorker(slack, Outbox(clickhouse), clock).turn() == 1
        first._make(WEEKLY, name(DUE), DUE, CATALOG)  # a second alerter that had not seen the first
        assert DeliveryWorker(slack, Outbox(clickhouse), clock).turn() == 0
    assert len(receiver.got) == 1
    clock.advance(7 * 86_400)
    assert reviewer(clickhouse, clock).turn() == 1
    assert messages(clickhouse)[-1][0] == name(DUE + timedelta(days=7))


def test_its_numbers_are_those_of_the_ledger(clickhouse: ClickHouseClient) -> None:
    spend(clickhouse, "120.25", at=DUE - timedelta(days=3))
    spend(clickhouse, "20", at=DUE - timedelta(days=10))
    clock = FakeClock(DUE - timedelta(days=7))
    reviewer(clickhouse, clock).turn()
    clock.advance(7 * 86_400 + 1)
    reviewer(clickhouse, clock).turn()
    week = TimeRange(datetime(2026, 11, 15, 23, tzinfo=UTC), datetime(2026, 11, 22, 23, tzinfo=UTC))
    spent = total(cell.sums for cell in CostReader(clickhouse).cells(CostQuery(week, BERLIN, (), {}, ())))
    with receiving() as receiver:
        receiver.script = [(200, {}, b"ok")]
        slack = Slack("slack", receiver.url, HttpPoster(read_networks("127.0.0.0/8"), 5))
        DeliveryWorker(slack, Outbox(clickhouse), clock).turn()
    body = receiver.got[0].body.decode()
    assert "AI costs in the week of 2026-11-16" in body
    assert f"The week cost {dollars(spent.cost)} for" in body
    assert "+$100.25 (+501%)" in body
    for heading in ("Why", "Top spenders", "Forecast for the month", "Alerts", "Data quality"):
        assert f"*{heading}*" in body
    check_slack(json.loads(body))


def test_the_first_hour_ever_is_no_reason_to_fail(clickhouse: ClickHouseClient) -> None:
    at = DUE - timedelta(hours=30, minutes=20)
    for grain in ("hour", "day", "minute"):  # a ledger that begins in the middle of an hour and a day
        row = {
            "tenant": "acme",
            "window": at,
            "version": 1,
            "groups": [{"team": "t", "sku": "m", "cost": "3", "events": 1}],
        }
        clickhouse.insert_json_lines(f"rollup_{grain}", msgspec.json.encode(row))
    clock = FakeClock(DUE - timedelta(days=1))
    reviewer(clickhouse, clock).turn()
    clock.advance(86_401)
    assert reviewer(clickhouse, clock).turn() == 1
    assert {state for _, _, state in messages(clickhouse)[2:]} == {"waiting"}


def test_a_day_in_another_zone_is_the_day_there(clickhouse: ClickHouseClient) -> None:
    daily = Review(id="daily", every="day", at="07:30", timezone="America/New_York", channels=("slack",))
    catalog = Catalog(revision=1, created_at=DUE, reviews=(daily,))
    at = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
    spend(clickhouse, "7", at=datetime(2026, 11, 23, 5, 1, tzinfo=UTC))
    spend(clickhouse, "1", at=datetime(2026, 11, 24, 5, 1, tzinfo=UTC))
    clock = FakeClock(at - timedelta(hours=1))
    reviewer(clickhouse, clock, catalog).turn()
    clock.advance(3601)
    assert reviewer(clickhouse, clock, catalog).turn() == 1
    (row,) = clickhouse.rows("SELECT body FROM alert_outbox FINAL WHERE state = 'waiting'")
    assert "The day cost $7.00" in row["body"]
    assert "on Monday, 2026-11-23" in row["body"]
