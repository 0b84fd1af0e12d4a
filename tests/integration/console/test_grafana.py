"""Every query of every panel of the dashboards, as Grafana's plugin sends it, by the user that can only read."""

import html
import json
import re
from collections.abc import Sequence
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
import yaml
from tests.support.alerts import alert
from tests.support.console_rig import NOW, Rig
from tests.support.grafana import DASHBOARDS, GRAFANA, expand, queries
from tests.support.stack import Stack, environment
from typer.testing import CliRunner

from outlay.cli.dead_letters import app
from outlay_alerter.budget_api.service import BudgetStatusStore
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.budgets import BudgetUsage, budget_period, plan_of, status
from outlay_reports.money import usd
from outlay_schemas.alerts import Incident, State
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.events import encoder

pytestmark = pytest.mark.stack

SHOWN = TimeRange(NOW - timedelta(days=7), NOW + timedelta(minutes=1))


def sent(sql: str, **chosen: Sequence[str]) -> str:
    """Write a query as the plugin sends it for `acme`."""
    return expand(sql, "acme", SHOWN, **chosen)


@pytest.fixture(scope="module")
def watched(rig: Rig, stack: Stack) -> None:
    """The alerter has written how a budget stands."""
    plan = plan_of(Budget(id="growth", name="Growth", amount=Decimal(50)), "acme")
    clickhouse = ClickHouseClient(stack.writer.model_copy(update={"database": "console"}))
    BudgetStatusStore(clickhouse).write(
        [status(plan, budget_period(plan, NOW), BudgetUsage(49 * 10**12), NOW)]
    )
    clickhouse.close()


def test_the_panel_of_budgets_shows_how_each_stands(watched: None, stack: Stack) -> None:
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console"}))
    (row,) = clickhouse.rows(sent(queries()["spend: Budgets A"]))
    clickhouse.close()
    found = (row["Budget"], row["Used"], row["Spent"], row["Limit"], row["Status"])
    assert found == ("Growth", 98, 49, 50, "warning")


@pytest.mark.parametrize("name", queries())
def test_each_query_is_answered(watched: None, stack: Stack, name: str) -> None:
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console"}))
    rows = clickhouse.rows(sent(queries()[name]))
    clickhouse.close()
    assert rows
    assert "77.5" not in str(rows), "another tenant's costs"


def test_columns_have_names_for_people_and_overrides_are_of_columns(watched: None, stack: Stack) -> None:
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console"}))
    tables = [one for one in DASHBOARDS["spend"]["panels"] if one["type"] in ("table", "piechart")]
    for panel in tables:
        overrides = {
            one["matcher"]["options"]: {p["id"] for p in one["properties"]}
            for one in panel["fieldConfig"]["overrides"]
        }
        columns = clickhouse.rows(sent(panel["targets"][0]["rawSql"]))[0].keys()
        shown = [name for name in columns if "custom.hidden" not in overrides.get(name, ())]
        assert not [name for name in shown if not re.fullmatch(r"[A-Z][a-z]+( [a-z]+)?", name)], panel[
            "title"
        ]
        assert overrides.keys() <= columns, panel["title"]
    clickhouse.close()
    assert len(tables) == 6


def test_the_panel_of_spend_is_right(rig: Rig, stack: Stack) -> None:
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console"}))
    rows = clickhouse.rows(sent(queries()["spend: Spend by team A"]))
    clickhouse.close()
    assert sum((row["usd"] for row in rows), Decimal(0)) == rig.spent(NOW - timedelta(days=7), NOW)


async def test_dead_letters_are_those_of_the_console_and_of_the_command_line(
    rig: Rig, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = stack.writer.model_copy(update={"database": "console"})
    clickhouse = ClickHouseClient(writer)
    for name in ("open", "open too", "sent again"):
        row = {"id": name, "tenant": "acme", "stage": "pricer", "code": f"of_panel_{name[:4]}", "at": NOW}
        clickhouse.insert_json_lines("dead_letters", encoder.encode(row))
    row = {"id": "sent again", "tenant": "acme"}
    clickhouse.insert_json_lines("dead_letter_replays", encoder.encode(row))
    clickhouse.close()
    reader = ClickHouseClient(stack.reader.model_copy(update={"database": "console"}))
    panel = {row["Code"]: row["Inputs"] for row in reader.rows(sent(queries()["spend: Dead letters A"]))}
    reader.close()
    for name, value in environment(stack.kafka, writer).items():
        monkeypatch.setenv(name, value)
    answer = CliRunner().invoke(app, ["list", "--tenant", "acme", "--json"])
    assert {row["code"]: row["dead_letters"] for row in json.loads(answer.stdout)} == panel
    page = (await (await rig.logged_in()).get("/quality")).text
    shown = re.findall(r"<tr><td><code>(\w+)</code></td><td>\w+</td><td class=\"num\">(\d+)</td>", page)
    assert {code: int(count) for code, count in shown} == panel
    assert panel["of_panel_open"] == 2
    assert "of_panel_sent" not in panel


def test_open_alerts_are_those_that_fire_and_each_line_stands_where_its_incident_was_opened(
    rig: Rig, stack: Stack
) -> None:
    writer = ClickHouseClient(stack.writer.model_copy(update={"database": "console"}))
    opened = NOW - timedelta(minutes=30)
    for state in ("firing", "pending", "resolved"):
        shown_as: State = "resolved" if state == "resolved" else "firing"
        incident = Incident(f"line {state}", opened, opened, "info", shown_as, [])
        body = alert(f"line {state}", title=f"budget {state}", state=shown_as, incident=incident)
        row = {
            "tenant": "acme", "id": body.id, "rule": "b", "seq": 1, "state": state,
            "window": NOW - timedelta(days=20), "body": encoder.encode(body).decode(),
        }  # fmt: skip
        writer.insert_json_lines("alerts", encoder.encode(row))
    writer.close()
    reader = ClickHouseClient(stack.reader.model_copy(update={"database": "console"}))
    shown = {row["Alert"] for row in reader.rows(sent(queries()["spend: Open alerts A"]))}
    lines = {
        row["text"]: row["time"].replace(tzinfo=UTC)
        for row in reader.rows(sent(queries()["spend: annotation Alerts"]))
    }
    reader.close()
    assert {title for title in shown if title.startswith("budget ")} == {"budget firing"}
    assert {title for title in lines if title.startswith("budget ")} == {"budget firing", "budget resolved"}
    assert {lines["budget firing"], lines["budget resolved"]} == {opened}


def test_the_variables_offer_what_there_is_and_the_panels_obey_them(rig: Rig, stack: Stack) -> None:
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console"}))
    asked, span = queries(), (NOW - timedelta(days=7), NOW)
    offered = {
        name: [next(iter(row.values())) for row in clickhouse.rows(sent(asked[f"spend: variable {name}"]))]
        for name in ("team", "provider", "model")
    }
    assert all(offered.values())
    assert all(value for values in offered.values() for value in values), "an empty value means All"
    panels = {name: sql for name, sql in asked.items() if "costs_" in sql and "variable" not in name}
    assert len(panels) == 9
    spend = panels["spend: Spend A"]
    for name, values in offered.items():
        parts = [clickhouse.rows(sent(spend, **{name: [value]}))[0]["usd"] for value in values]
        assert sum(parts, Decimal(0)) == rig.spent(*span), name
        assert clickhouse.rows(sent(spend, **{name: values}))[0]["usd"] == rig.spent(*span), name
    nothing = {"team": ["no such team"]}
    for title, sql in panels.items():
        found = clickhouse.rows(sent(sql, **nothing))
        assert not [cell for row in found for cell in row.values() if cell], title
    clickhouse.close()


@pytest.mark.parametrize("board", DASHBOARDS.values(), ids=DASHBOARDS)
def test_every_panel_says_what_it_shows(board: dict[str, Any]) -> None:
    assert not [panel["title"] for panel in board["panels"] if not panel.get("description")]


def test_values_have_the_colours_and_series_the_names_that_the_dashboard_chooses() -> None:
    """Where it chooses none, Grafana shows values in red from 80, and the column's name before each series'."""
    for panel in DASHBOARDS["spend"]["panels"]:
        chosen = panel["fieldConfig"]["defaults"].keys()
        if panel["type"] == "stat":
            assert chosen & {"color", "thresholds"}, panel["title"]
        if panel["type"] == "timeseries":
            assert "displayName" in chosen, panel["title"]


async def test_the_links_lead_to_pages(rig: Rig) -> None:
    paths = set(re.findall(r'"url": "\$\{console\}(/[a-z]*)', json.dumps(DASHBOARDS["spend"])))
    assert paths == {"/explore", "/budgets", "/alerts"}
    client = await rig.logged_in()
    assert {(await client.get(path)).status_code for path in paths} == {200}
    await client.aclose()


async def test_the_links_of_a_series_open_its_costs_in_explore(rig: Rig) -> None:
    """Grafana writes the times as ISO 8601 with milliseconds."""
    (panel,) = [one for one in DASHBOARDS["spend"]["panels"] if one["title"] == "Spend by team"]
    (link,) = panel["fieldConfig"]["defaults"]["links"]
    start, end = (NOW - timedelta(days=7)).replace(second=0), NOW.replace(second=0)
    url = link["url"].removeprefix("${console}")
    for name, at in (("from", start), ("to", end)):
        url = url.replace(f"${{__{name}:date:iso}}", f"{at:%Y-%m-%dT%H:%M:%S}.000Z")
    url = url.replace("${__field.labels.team_name}", "growth")
    client = await rig.logged_in()
    page = await client.get(url)
    await client.aclose()
    assert page.status_code == 200
    assert usd(rig.spent(start, end, team="growth")) in html.unescape(page.text)


def test_panels_ask_sources_that_are_provisioned() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/outlay.yaml").read_text("utf-8"))
    known = {(source["type"], source["uid"]) for source in sources["datasources"]}
    for board in DASHBOARDS.values():
        ids = [panel["id"] for panel in board["panels"]]
        assert len(ids) == len(set(ids))
        asked: list[dict[str, Any]] = [t["datasource"] for p in board["panels"] for t in p["targets"]]
        assert {(source["type"], source["uid"]) for source in asked} <= known


def test_panels_do_not_lie_on_each_other() -> None:
    for board in DASHBOARDS.values():
        cells = [
            (x, y)
            for panel in board["panels"]
            for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
        ]
        assert len(cells) == len(set(cells))
        assert max(x for x, _ in cells) < 24
