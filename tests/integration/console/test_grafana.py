"""Every query of every panel of the dashboards, as Grafana's plugin sends it, by the user that can only read."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.console_rig import NOW, Rig
from tests.support.stack import Stack, environment
from typer.testing import CliRunner

from outlay.cli.dead_letters import app
from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.events import encoder

pytestmark = pytest.mark.stack

GRAFANA = Path(__file__).parents[3] / "deploy/grafana"
DASHBOARDS = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}
CLICKHOUSE = "grafana-clickhouse-datasource"
FROM, TO = int((NOW - timedelta(days=7)).timestamp()), int(NOW.timestamp()) + 60
STEP = 3600


def queries() -> dict[str, str]:
    """Return the SQL of every panel, variable and annotation."""
    found: dict[str, str] = {}
    for name, board in DASHBOARDS.items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["type"] == CLICKHOUSE:
                    found[f"{name}: {panel['title']} {target['refId']}"] = target["rawSql"]
        for variable in board["templating"]["list"]:
            found[f"{name}: variable {variable['name']}"] = variable["query"]
        for note in board["annotations"]["list"]:
            found[f"{name}: annotation {note['name']}"] = note["target"]["rawSql"]
    return found


def expand(sql: str, tenant: str = "acme") -> str:
    """Write a query as the plugin does: its macros, then Grafana's variables."""
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({FROM}) AND \1 <= toDateTime({TO})", sql)
    sql = re.sub(
        r"\$__timeInterval\((\w+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {STEP} second)", sql
    )
    sql = sql.replace("$__fromTime", f"toDateTime({FROM})").replace("$__toTime", f"toDateTime({TO})")
    sql = sql.replace("${tenant:singlequote}", f"'{tenant}'")
    assert "$" not in sql, "a macro or variable that this test does not know"
    return sql


@pytest.mark.parametrize("name", queries())
def test_each_query_is_answered(rig: Rig, stack: Stack, name: str) -> None:
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console"}))
    rows = clickhouse.rows(expand(queries()[name]))
    clickhouse.close()
    assert rows
    assert "77.5" not in str(rows), "another tenant's costs"


def test_the_panel_of_spend_is_right(rig: Rig, stack: Stack) -> None:
    clickhouse = ClickHouseClient(stack.reader.model_copy(update={"database": "console"}))
    rows = clickhouse.rows(expand(queries()["spend: Spend by team A"]))
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
    panel = {row["code"]: row["inputs"] for row in reader.rows(expand(queries()["spend: Dead letters A"]))}
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
