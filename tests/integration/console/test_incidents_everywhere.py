"""Every place says the same of an incident: lists, its page, the command line, messages and digests."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from tests.support.console_rig import NOW, Rig, make
from tests.support.stack import Stack, environment
from typer.testing import CliRunner

from outlay.cli.alerts import app
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.alert_text import AlertText, text_of
from outlay_reports.cost_query import CostQuery
from outlay_reports.digest import DigestSources, build_digest
from outlay_reports.incidents import Incident, incidents, snapshot
from outlay_schemas.alerts import Alert, AlertAction, Contributor
from outlay_schemas.events import encoder
from outlay_schemas.money import Usd

pytestmark = pytest.mark.stack
DATABASE = "console_incidents_everywhere"
BEGAN = NOW - timedelta(hours=3)
DAY = TimeRange(NOW - timedelta(days=1), NOW)


def at(minutes: int) -> datetime:
    return BEGAN + timedelta(minutes=minutes)


def made(name: str, minutes: int, title: str, **changes: object) -> Alert:
    alert = Alert(
        id=name, tenant="acme", rule=f"rule-{name[0]}", rule_type="spend_spike", scope={"team": "growth"}, window=BEGAN,
        level="spike", severity="warning", state="firing", title=title, summary="", expected=Usd("10"),
        actual=Usd("20"), contributors=[Contributor("sku", "gpt-5-pro", Usd("19"))], at=at(minutes), query="",
        started_at=at(minutes), fired_at=at(minutes),
    )  # fmt: skip
    return msgspec.structs.replace(alert, **changes)


def later(alert: Alert, minutes: int, **changes: object) -> Alert:
    return msgspec.structs.replace(alert, at=at(minutes), **changes)


def level(percent: int, minutes: int, spent: int, **changes: object) -> Alert:
    return made(
        f"b-{percent}", minutes, f"Growth budget: {spent}% used (${spent}.00 of $100.00)", rule_type="budget",
        level=f"{percent}", actual=Usd(f"{spent}"), **changes,
    )  # fmt: skip


SPIKE = made("s", 1, "Spike of growth")
MODEL = made("sm", 1, "Spike of gpt-5-pro", scope={"team": "growth", "sku": "gpt-5-pro"}, severity="critical")
HALF, MOST, ALL = level(50, 0, 53), level(80, 4, 81), level(100, 9, 101)
EUROS = made(
    "e", 0, "Euros budget: 90% used ($97.20 = €90.00 of $108.00 = €100.00)", rule_type="budget", level="80"
)
UNPRICED = made(
    "u", 0, "66 events have no price", rule_type="threshold", level="above", unit="unpriced events"
)
COURSES: dict[str, list[Alert]] = {
    "b-50": [
        HALF, SPIKE, MODEL, MOST, ALL, later(SPIKE, 20, severity="critical", title="Spike of growth is worse"),
        later(MODEL, 30, state="resolved"), later(SPIKE, 31, severity="critical", state="resolved"),
        *(later(one, 60, state="resolved", facts={"ended": "its period is over"}) for one in (HALF, MOST, ALL)),
    ],
    "e": [EUROS, later(EUROS, 5, state="acknowledged", facts={"acknowledged": "by kim"}, as_of=at(0))],
    "u": [UNPRICED],
}  # fmt: skip
"""The versions of the alerts of each incident, in the order in which they were decided."""


@dataclass
class Place:
    """What all places read."""

    rig: Rig
    clickhouse: ClickHouseClient
    found: dict[str, Incident]


@pytest.fixture(scope="module")
def place(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Any:
    rig = make(stack, tmp_path_factory.mktemp("everywhere"), DATABASE)
    clickhouse = ClickHouseClient(stack.writer.model_copy(update={"database": DATABASE}))
    alerts, messages = list[dict[str, object]](), list[dict[str, object]]()
    stored: list[tuple[Alert, str]] = []
    for name, course in COURSES.items():
        newest: dict[str, Alert] = {}
        for seq, one in enumerate(course):
            newest[one.id] = one
            now = snapshot(name, course[0].at, one.severity, ((a, a.state) for a in newest.values()))
            newest[one.id] = sent = msgspec.structs.replace(one, incident=now)
            body = encoder.encode(sent).decode()
            messages.append(
                {"tenant": "acme", "message_id": f"msg_{one.id}_{seq}", "incident": name, "channel": "bus",
                 "body": body, "due_at": one.at, "created_at": one.at}
            )  # fmt: skip
        for one in newest.values():
            ended = "ended" if "ended" in one.facts else ""
            stored.append((one, ended or one.state))
            alerts.append(
                {"tenant": "acme", "id": one.id, "incident": name, "rule": one.rule, "state": one.state,
                 "ended_reason": ended, "seq": 9, "window": one.window, "decided_at": one.at,
                 "body": encoder.encode(one).decode()}
            )  # fmt: skip
    actions = [AlertAction("acme", "e", "acknowledged", at(5), None, "", "kim")]
    for table, rows in (("alerts", alerts), ("alert_outbox", messages), ("alert_actions", actions)):
        clickhouse.insert_json_lines(table, b"\n".join(encoder.encode(row) for row in rows))
    yield Place(rig, clickhouse, {one.id: one for one in incidents(stored)})
    clickhouse.close()


def plain(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def command(stack: Stack, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    settings = stack.writer.model_copy(update={"database": DATABASE})
    for name, value in environment(stack.kafka, settings).items():
        monkeypatch.setenv(name, value)
    answer = CliRunner().invoke(app, ["list", "--all", *words], env={"COLUMNS": "400"})
    assert answer.exit_code == 0, answer.output
    return answer.stdout


def test_the_set_has_what_differed(place: Place) -> None:
    ended = place.found["b-50"]
    assert (ended.state, ended.count, len(ended.alerts), ended.main.severity) == ("ended", 3, 5, "critical")
    assert (ended.started_at, ended.text.ended_at) == (at(0), at(60))
    assert [place.found[name].state for name in ("e", "u")] == ["acknowledged", "firing"]


@pytest.mark.parametrize("name", COURSES)
async def test_every_place_says_the_same(
    place: Place, stack: Stack, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    one, client = place.found[name], await place.rig.logged_in()
    (item,) = [
        plain(part)
        for part in (await client.get("/alerts?tz=UTC")).text.split('<li class="alert ')
        if f'href="/alerts/{name}"' in part
    ]
    pages = {alert.id: plain((await client.get(f"/alerts/{alert.id}?tz=UTC")).text) for alert in one.alerts}
    assert len(set(pages.values())) == 1, "every alert leads to the same page"
    page = pages[name]
    (line,) = [row for row in command(stack, monkeypatch).splitlines() if row.split()[-1:] == [name]]
    rows = [
        r
        for r in msgspec.json.decode(command(stack, monkeypatch, "--json"))
        if r.get("incident", {}).get("id") == name
    ]
    text = text_of(one.alerts)
    assert isinstance(text, AlertText)

    for shown in (item, page, line, text.title):
        assert one.title in shown
    for shown in (item, page, line):
        assert one.main.severity in shown
        assert f"{one.started_at:%Y-%m-%d %H:%M}" in shown
        assert (f"{one.count} alerts" in shown) == (one.count > 1)
        assert f"{one.main.figures_at:%Y-%m-%d %H:%M}" in shown
        if text.ended_at:
            assert f"{text.ended_at:%Y-%m-%d %H:%M}" in shown
    assert one.state in page
    assert one.state in line
    assert (text.severity, len(text.parts) or 1) == (one.main.severity, one.count)
    assert len(rows) == len(one.alerts)
    assert all(row["incident"] == rows[0]["incident"] and row["as_of"] for row in rows)
    assert rows[0]["incident"]["severity"] == one.main.severity

    week = CostQuery(DAY, ZoneInfo("UTC"), (), {}, ("acme",))
    sources = DigestSources(CostReader(place.clickhouse), place.clickhouse, (), ())
    (listed,) = [s.sheet for s in build_digest(sources, week, NOW, None) if s.heading == "Alerts"]
    assert listed is not None
    assert (one.main.severity, one.state, one.heading) in [row.values for row in listed.rows]


async def test_the_page_has_each_step_with_its_time_and_the_figures_of_then(place: Place) -> None:
    page = (await (await place.rig.logged_in()).get("/alerts/b-50?tz=UTC")).text
    section = page.partition('id="timeline"')[2].partition("</ol>")[0]
    steps = [plain(each) for each in section.split("<li>")]
    assert "UTC" in steps[0]
    for minutes, what in (
        (0, "Fired (warning, level 50%): Growth budget: 53% used ($53.00 of $100.00)"),
        (1, "Fired (critical): Spike of gpt-5-pro"),
        (1, "Fired (warning): Spike of growth"),
        (4, "Fired (warning, level 80%): Growth budget: 81% used ($81.00 of $100.00)"),
        (9, "Fired (warning, level 100%): Growth budget: 101% used ($101.00 of $100.00)"),
        (20, "Severity raised from warning to critical: Spike of growth is worse"),
        (30, "Resolved (back within its limit): Spike of gpt-5-pro"),
        (60, "Resolved (its period is over): Growth budget: 101% used ($101.00 of $100.00)"),
        (60, "Incident resolved: all of its alerts are"),
    ):
        assert f"{at(minutes):%Y-%m-%d %H:%M} {what}" in steps
    acknowledged = plain((await (await place.rig.logged_in()).get("/alerts/e?tz=UTC")).text)
    happened = acknowledged.partition("Timeline")[2]
    assert f"{at(5):%Y-%m-%d %H:%M} Acknowledged by kim" in happened, happened[:600]
