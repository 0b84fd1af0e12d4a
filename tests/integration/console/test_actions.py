"""What people say on pages is written as the alerter reads it, in the audit log first, and only by whoever may."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.console_rig import NOW, Rig, make
from tests.support.stack import Stack

from outlay_console.actions import Actions, ActionWriter
from outlay_kit.audit import AuditLog
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.settings import ClickHouseSettings

pytestmark = pytest.mark.stack
ACTIONS = "/alerts/a-acme/actions"


@pytest.fixture(scope="module")
def rig(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """Its own data: actions here appear on no page of other tests."""
    return make(stack, tmp_path_factory.mktemp("words"), "console_words")


def said(stack: Stack, target: str) -> list[tuple[str, object, str, str]]:
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console_words"}))
    rows = clickhouse.rows(
        "SELECT action, toUnixTimestamp(until) AS until, comment, actor FROM alert_actions FINAL"
        " WHERE tenant = 'acme' AND target = {target:String} AND actor != '' ORDER BY action",
        {"target": target},
    )
    clickhouse.close()
    return [(row["action"], row["until"], row["comment"], row["actor"]) for row in rows]


async def test_an_alert_is_taken_in_hand_expected_and_left_alone(rig: Rig, stack: Stack) -> None:
    client = await rig.logged_in("kim")
    page = (await client.get("/alerts/a-acme")).text
    assert "Acknowledge" in page
    answer = await client.post(
        ACTIONS, data={"action": "acknowledged", "note": "a launch", "next": "/alerts/a-acme"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts/a-acme")
    await client.post(ACTIONS, data={"action": "expected"})
    await client.post(ACTIONS, data={"action": "snoozed", "hours": "4"})
    await client.post(ACTIONS, data={"action": "snoozed", "hours": "24", "whole": "1"})
    soon, later = (int((NOW + timedelta(hours=hours)).timestamp()) for hours in (4, 24))
    assert said(stack, "a-acme") == [
        ("acknowledged", None, "a launch", "kim"), ("expected", None, "", "kim"), ("snoozed", soon, "", "kim"),
    ]  # fmt: skip
    assert said(stack, "spikes") == [("snoozed", later, "", "kim")]
    page = (await client.get("/alerts/a-acme")).text
    assert "Acknowledged</b> by kim: a launch" in page
    await client.post(ACTIONS, data={"action": "expected", "undo": "1"})
    assert "Marked as expected" not in (await client.get("/alerts/a-acme")).text
    assert "acknowledged by kim" in (await client.get("/alerts")).text


async def test_each_word_is_in_the_audit_log_under_the_key(rig: Rig) -> None:
    client = await rig.logged_in("kim")
    await client.post(ACTIONS, data={"action": "acknowledged", "note": "again"})
    entry = list(rig.dependencies.actions.audit.read())[-1]
    assert (entry.action, entry.subject) == ("alerts.act", "a-acme")
    assert entry.actor == f"key {rig.keys['kim'].split('_')[2]}"
    assert entry.details == {"tenant": "acme", "action": "acknowledged", "note": "again"}


async def test_an_opportunity_is_dismissed_and_comes_back(rig: Rig) -> None:
    client = await rig.logged_in("kim")
    await client.post("/opportunities/o-acme/dismiss")
    page = (await client.get("/opportunities")).text
    assert "Dismissed (1)" in page
    await client.post("/opportunities/o-acme/dismiss", data={"undo": "1"})
    assert "Dismissed (1)" not in (await client.get("/opportunities")).text
    assert (await client.post("/opportunities/o-globex/dismiss")).status_code == 404


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ({"action": "nothing"}, 400),
        ({}, 400),
        ({"action": "snoozed", "hours": "0"}, 400),
        ({"action": "snoozed", "hours": "9999"}, 400),
        ({"action": "snoozed", "hours": "-1"}, 400),
        ({"action": "acknowledged", "note": "x" * 501}, 400),
        ({"action": "acknowledged", "note": "a\nb"}, 400),
        ({"action": "acknowledged", "note": "x" * 5000}, 413),
    ],
)
async def test_a_form_that_makes_no_sense_is_refused(rig: Rig, data: dict[str, str], status: int) -> None:
    client = await rig.logged_in("kim")
    assert (await client.post(ACTIONS, data=data)).status_code == status


async def test_a_key_without_the_right_cannot_act(rig: Rig, stack: Stack, tmp_path: Path) -> None:
    word = {"action": "acknowledged", "note": "no"}
    assert (await rig.client().post(ACTIONS, data=word)).headers["location"] == "/login"
    assert (await (await rig.logged_in()).post(ACTIONS, data=word)).status_code == 403, (
        "a key that only reads"
    )
    kim = await rig.logged_in("kim")
    assert (await kim.post("/alerts/a-globex/actions", data=word)).status_code == 404, "another tenant's"
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-origin", "origin": "http://evil"},
    ):
        assert (await kim.post(ACTIONS, data=word, headers=headers)).status_code == 403, "another site's page"
    assert (await kim.post(ACTIONS, data={**word, "next": "//evil"})).headers["location"] == "/alerts"
    silent = replace(
        rig, dependencies=replace(rig.dependencies, actions=Actions(None, AuditLog(tmp_path / "log")))
    )
    client = await silent.logged_in("kim")
    assert (await client.post(ACTIONS, data=word)).status_code == 403
    assert "outlay alerts ack" in (await client.get("/alerts/a-acme")).text


async def test_what_cannot_be_logged_or_written_is_not_said(rig: Rig, stack: Stack, tmp_path: Path) -> None:
    before = said(stack, "a-acme")
    (tmp_path / "folder.ndjson").mkdir()
    unlogged = Actions(rig.dependencies.actions.writer, AuditLog(tmp_path / "folder.ndjson"))
    away = Actions(
        ActionWriter(ClickHouseSettings(url="http://127.0.0.1:9"), ping_seconds=1), AuditLog(tmp_path / "log")
    )
    for actions in (unlogged, away):
        client = await replace(rig, dependencies=replace(rig.dependencies, actions=actions)).logged_in("kim")
        answer = await client.post(ACTIONS, data={"action": "expected", "note": "lost"})
        assert answer.status_code == 503
    assert said(stack, "a-acme") == before
