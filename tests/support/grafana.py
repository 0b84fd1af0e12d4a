"""The dashboards of deploy/grafana, and their queries as Grafana's ClickHouse plugin sends them."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from outlay_kit.time_ranges import TimeRange

GRAFANA = Path(__file__).parents[2] / "deploy/grafana"
DASHBOARDS = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((GRAFANA / "dashboards").glob("*.json"))
}
CLICKHOUSE = "grafana-clickhouse-datasource"
STEP = 3600
"""Seconds of `$__timeInterval`."""


def queries() -> dict[str, str]:
    """Return the SQL of every panel, variable and annotation."""
    found: dict[str, str] = {}
    for name, board in DASHBOARDS.items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["type"] == CLICKHOUSE:
                    found[f"{name}: {panel['title']} {target['refId']}"] = target["rawSql"]
        for variable in (one for one in board["templating"]["list"] if one["type"] == "query"):
            found[f"{name}: variable {variable['name']}"] = variable["query"]
        for note in board["annotations"]["list"]:
            found[f"{name}: annotation {note['name']}"] = note["target"]["rawSql"]
    return found


def expand(sql: str, tenant: str, shown: TimeRange, **chosen: Sequence[str]) -> str:
    """Write a query as the plugin does: its macros, then Grafana's variables. Where nothing is chosen, it is All."""
    start, end = int(shown.start.timestamp()), int(shown.end.timestamp())

    def condition(macro: re.Match[str]) -> str:
        return macro[1] if macro[2] in chosen else "1=1"

    sql = re.sub(r"\$__conditionalAll\((.*?), \$(\w+)\)", condition, sql)
    for name, values in (chosen | {"tenant": [tenant]}).items():
        sql = sql.replace(f"${{{name}:singlequote}}", ",".join(f"'{value}'" for value in values))
    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({start}) AND \1 <= toDateTime({end})", sql)
    sql = re.sub(
        r"\$__timeInterval\((\w+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {STEP} second)", sql
    )
    sql = sql.replace("$__fromTime", f"toDateTime({start})").replace("$__toTime", f"toDateTime({end})")
    assert "$" not in sql, "a macro or variable that is not known here"
    return sql
