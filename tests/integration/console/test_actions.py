"""What people say on pages is written as the alerter reads it, in the audit log first, and only by whoever may."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.console_rig import NOW, Rig, chart_of, make
from tests.support.stack import Stack

from outlay_console.actions import Actions, ActionWriter
from outlay_console.domain.roles import Grant
from outlay_kit.audit import AuditLog
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.settings import ClickHouseSettings
from outlay_reports.adapters.savings import decisions, newest_savings
from outlay_reports.money import usd
from outlay_reports.savings import Decision

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


async def test_several_alerts_are_taken_at_once(rig: Rig, stack: Stack) -> None:
    client = await rig.logged_in("kim")
    assert 'name="alert.a-acme"' in (await client.get("/alerts")).text
    answer = await client.post(
        "/alerts/chosen/actions", data={"action": "acknowledged", "note": "all", "alert.a-acme": "1"}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")
    assert ("acknowledged", None, "all", "kim") in said(stack, "a-acme")
    page = (await client.get("/alerts/a-acme")).text
    assert "Acknowledged by kim: all</li>" in page.split('id="timeline"')[1]
    for wrong, status in (
        ({}, 400),
        ({"alert.a-globex": "1"}, 404),
        (dict.fromkeys(map("alert.{}".format, range(51)), "1"), 400),
    ):
        answer = await client.post("/alerts/chosen/actions", data={"action": "acknowledged", **wrong})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("severity=critical&rule=spikes&team=growth&within=1", True),
        ("group=team", True),
        ("group=rule&within=7", True),
        ("within=junk&group=junk", True),
        ("severity=warning", False),
        ("team=other", False),
        ("rule=other", False),
    ],
)
async def test_alerts_are_filtered_and_grouped(rig: Rig, query: str, shown: bool) -> None:
    page = (await (await rig.logged_in()).get(f"/alerts?{query}")).text
    assert ("5 times what is usual" in page) is shown
    assert ("No alert matches the filters" in page) is not shown


async def test_each_word_is_in_the_audit_log_under_the_key(rig: Rig) -> None:
    client = await rig.logged_in("kim")
    await client.post(ACTIONS, data={"action": "acknowledged", "note": "again"})
    entry = list(rig.dependencies.actions.audit.read())[-1]
    assert (entry.action, entry.subject) == ("alerts.act", "a-acme")
    assert entry.actor == f"key {rig.keys['kim'].split('_')[2]}"
    assert entry.details == {"tenant": "acme", "action": "acknowledged", "note": "again"}


async def test_an_opportunity_is_planned_dismissed_and_comes_back(rig: Rig, stack: Stack) -> None:
    client, path = await rig.logged_in("kim"), "/opportunities/o-acme/save"
    page = (await client.get("/opportunities")).text
    assert 'Together at least <b class="mid">$200' in page, "20 USD in three days"
    plan = {"status": "planned", "effort": "low", "owner": "Lee", "note": "next sprint"}
    assert (await client.post(path, data=plan)).status_code == 303
    page = (await client.get("/opportunities")).text
    assert "Planned by kim: next sprint" in page
    assert "Lee</span>" in page
    assert "low effort" in page
    await client.post(path, data={**plan, "status": "dismissed"})
    page = (await client.get("/opportunities")).text
    assert "Done and dismissed (1)" in page
    assert "Together at least" not in page
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console_words"}))
    assert decisions(clickhouse)["o-acme"] == Decision("dismissed", "low", "Lee", "next sprint")
    assert newest_savings(clickhouse, ("acme",), NOW + timedelta(days=1)) is None
    clickhouse.close()
    await client.post(path, data={"status": "open"})
    assert "Done and dismissed" not in (await client.get("/opportunities")).text
    for wrong in (
        {},
        {"status": "gone"},
        {"status": "open", "effort": "none"},
        {"status": "open", "owner": "x" * 81},
    ):
        assert (await client.post(path, data=wrong)).status_code == 400
    assert (await client.post("/opportunities/o-globex/save", data=plan)).status_code == 404


GRANTS = tuple(Grant(value=role, tenant="acme", role=role) for role in ("viewer", "editor", "admin"))


def view_id(page: str, name: str) -> str:
    """Return the id of a view that who is looking may change."""
    found = re.search(rf"<b>{name}</b>.*?/views/(\w+)/save", page, re.DOTALL)
    assert found is not None
    return found[1]


async def test_a_view_is_saved_put_on_a_dashboard_renamed_and_deleted(rig: Rig) -> None:
    kim, colleague = await rig.logged_in("kim"), rig.person("editor", GRANTS)
    view = {"query": "?range=7d&by=sku&junk=1&team=growth", "name": "Growth", "dashboard": "Monday"}
    answer = await kim.post("/views/new/save", data={**view, "next": "/explore?by=sku"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/explore?by=sku")
    assert "Growth" not in (await colleague.get("/views")).text, "private"
    assert (await colleague.get("/dashboard?name=Monday")).status_code == 404
    page = (await kim.get("/views")).text
    assert 'href="/explore?range=7d&amp;tz=UTC&amp;by=sku&amp;team=growth"' in page
    change = f"/views/{view_id(page, 'Growth')}/save"
    assert (await colleague.post(change, data={"name": "x"})).status_code == 404
    await kim.post(change, data={"name": "Team growth", "dashboard": "Monday", "shared": "1"})
    assert "Team growth" in (await colleague.get("/views")).text
    assert (await colleague.post(change, data={"name": "x"})).status_code == 403, "another's"
    board = (await colleague.get("/dashboard?name=Monday")).text
    spent = rig.spent(NOW - timedelta(days=7), NOW, team="growth")
    assert f"≥ {usd(spent)}" in board or usd(spent) in board
    assert (await rig.person("admin", GRANTS).post(change, data={"delete": "1"})).status_code == 303
    assert "Team growth" not in (await kim.get("/views")).text
    entry = list(rig.dependencies.actions.audit.read())[-1]
    assert (entry.action, entry.details["name"]) == ("views.delete", "Team growth")
    assert (await kim.post("/views/v-globex/save", data={"name": "x"})).status_code == 404


async def test_a_note_is_on_the_charts_of_its_tenant_until_it_is_deleted(rig: Rig) -> None:
    kim = await rig.logged_in("kim")
    note = {"text": "New model in production", "at": "2026-11-25T14:30", "tz": "Europe/Berlin"}
    assert (await kim.post("/notes/new/save", data=note)).headers["location"] == "/explore"
    for path in ("/?range=24h", "/explore?range=24h", "/explore?range=24h&team=growth"):
        marks = chart_of((await rig.person("viewer", GRANTS).get(path)).text)["marks"]
        at = [mark["at"] for mark in marks if note["text"] in mark["title"]]  # type: ignore[index]
        assert at == [int(datetime(2026, 11, 25, 13, 30, tzinfo=UTC).timestamp())], path
    assert note["text"] not in (await (await rig.logged_in("globex")).get("/explore?range=24h")).text
    page = (await kim.get("/explore?range=24h")).text
    found = re.search(r'/notes/(\w+)/save" class', page)
    assert found is not None
    assert (await rig.person("editor", GRANTS).post(f"/notes/{found[1]}/save")).status_code == 403
    assert (await kim.post(f"/notes/{found[1]}/save")).status_code == 303
    assert note["text"] not in (await kim.get("/explore?range=24h")).text
    logged = [entry.action for entry in rig.dependencies.actions.audit.read()]
    assert [action for action in logged if action.startswith("notes.")] == ["notes.write", "notes.delete"]


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/views/new/save", {"name": "a", "query": "?by=nothing"}),
        ("/views/new/save", {"name": "", "query": "?by=team"}),
        ("/views/new/save", {"name": "x" * 81, "query": "?by=team"}),
        ("/views/new/save", {"name": "a\tb", "query": "?by=team"}),
        ("/views/new/save", {"name": "a", "query": "?by=team&team=" + "x" * 2100}),
        ("/notes/new/save", {"text": "", "at": "2026-11-25"}),
        ("/notes/new/save", {"text": "a", "at": "soon"}),
        ("/notes/new/save", {"text": "a"}),
        ("/notes/new/save", {"text": "a", "at": "2026-11-25", "tz": "Mars"}),
    ],
)
async def test_a_view_or_note_that_makes_no_sense_is_refused(
    rig: Rig, path: str, data: dict[str, str]
) -> None:
    assert (await (await rig.logged_in("kim")).post(path, data=data)).status_code == 400
    assert (await rig.person("viewer", GRANTS).post(path, data=data)).status_code == 403


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
