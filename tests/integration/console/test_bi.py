"""Every query and every program of docs/bi.md, on the real engine, by the user that can only read."""

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import polars as pl
import pytest
from tests.support.ledger import cost_event, random_events, write
from tests.support.pages import pages
from tests.support.stack import Stack

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import SystemClock
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.time_ranges import TimeRange
from outlay_schemas.alerts import Alert
from outlay_schemas.events import CostEvent, encoder
from outlay_schemas.money import Usd

pytestmark = pytest.mark.stack

PAGE = pages("bi", "sql-cookbook")
QUERIES: list[str] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
PROGRAMS: list[str] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
STATEMENTS = [
    statement.strip()
    for block in re.findall(r"```clickhouse\n(.*?)```", PAGE, re.DOTALL)
    for statement in block.split(";")
    if statement.strip()
]


@pytest.fixture(scope="module")
def events() -> Sequence[CostEvent]:
    """Events of this very month: the queries say `now`."""
    now = SystemClock().now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    recent = TimeRange(max(month, now - timedelta(days=2)), now + timedelta(minutes=1))
    return [*random_events("default", recent, 150, seed=3), cost_event("default", 999, now, "0.5")]


@pytest.fixture(scope="module")
def reader(stack: Stack, events: Sequence[CostEvent]) -> ClickHouseSettings:
    writer = stack.writer.model_copy(update={"database": "bi"})
    migrate(writer)
    write(writer, events)
    write(writer, [cost_event("other", 1, SystemClock().now(), "1000000")])
    _add(writer)
    return stack.reader.model_copy(update={"database": "bi"})


def _add(settings: ClickHouseSettings) -> None:
    now = SystemClock().now()
    alert = Alert(
        id="a", tenant="default", rule="r", rule_type="spend_spike", scope={}, window=now, level="spike",
        severity="warning", state="firing", title="t", summary="s", expected=None, actual=Usd("1"),
        contributors=[], at=now, query="",
    )  # fmt: skip
    clickhouse = ClickHouseClient(settings)
    row = {"tenant": "default", "id": "a", "rule": "r", "state": "firing", "seq": 1, "window": now,
           "body": encoder.encode(alert).decode()}  # fmt: skip
    clickhouse.insert_json_lines("alerts", encoder.encode(row))
    dead_letter = {"id": "l", "tenant": "default", "stage": "ingest", "code": "bad", "path": "", "message": "m",
              "at": now, "body": "", "topic": "", "line": 0}  # fmt: skip
    clickhouse.insert_json_lines("dead_letters", encoder.encode(dead_letter))
    clickhouse.close()


def spent(events: Sequence[CostEvent]) -> Decimal:
    return sum((Decimal(e.cost or 0) for e in events), Decimal(0))


@pytest.mark.parametrize("query", QUERIES, ids=[q.split("\n")[0][:60] for q in QUERIES])
def test_each_query_of_the_cookbook_answers_for_one_tenant(
    reader: ClickHouseSettings, events: Sequence[CostEvent], query: str
) -> None:
    clickhouse = ClickHouseClient(reader)
    rows = clickhouse.rows(query)
    clickhouse.close()
    if "ledger, r.usd AS rollup" in query:
        assert rows == []
        return
    if "team = ''" in query:
        events = [e for e in events if not e.team]
    assert rows
    if "usd" in rows[0] and "INTERVAL 1 HOUR" not in query:
        assert sum((Decimal(str(row["usd"] or 0)) for row in rows), Decimal(0)) == spent(events)


def _run(reader: ClickHouseSettings, program: str) -> dict[str, Any]:
    url = urlsplit(reader.url)
    known: dict[str, Any] = {
        "HOST": url.hostname,
        "PORT": url.port,
        "USER": reader.user,
        "PASSWORD": reader.password.get_secret_value(),
        "DATABASE": reader.database,
    }
    exec(compile(program, "docs/bi.md", "exec"), known)  # noqa: S102 (what the page tells people to run)
    return known


def _program(word: str) -> str:
    return next(program for program in PROGRAMS if word in program)


def test_clickhouse_connect(reader: ClickHouseSettings, capsys: pytest.CaptureFixture[str]) -> None:
    _run(reader, _program("named_results"))
    assert "Decimal" in capsys.readouterr().out


def test_pandas(reader: ClickHouseSettings, events: Sequence[CostEvent]) -> None:
    frame = _run(reader, _program("query_df"))["frame"]
    assert isinstance(frame, pd.DataFrame)
    assert frame["usd"].sum() == spent(events)


def test_polars(reader: ClickHouseSettings, events: Sequence[CostEvent]) -> None:
    frame = _run(reader, _program("import polars"))["frame"]
    assert isinstance(frame, pl.DataFrame)
    assert frame["usd"].sum() == spent(events)


def test_sqlalchemy(reader: ClickHouseSettings, events: Sequence[CostEvent]) -> None:
    known = _run(reader, _program("sqlalchemy"))
    assert sum((row.usd for row in known["rows"]), Decimal(0)) == spent(events)
    known["engine"].dispose()


@pytest.mark.parametrize("statement", STATEMENTS, ids=[s.split("\n")[0][:60] for s in STATEMENTS])
def test_the_statements_for_users_and_policies_are_ones_that_clickhouse_reads(
    reader: ClickHouseSettings, statement: str
) -> None:
    """The embedded engine has no users: it reads the statements, and cannot run them."""
    clickhouse = ClickHouseClient(reader)
    assert clickhouse.rows(f"EXPLAIN AST {statement}")
    clickhouse.close()


def test_the_reader_can_only_read(reader: ClickHouseSettings) -> None:
    clickhouse = ClickHouseClient(reader)
    with pytest.raises(Exception, match=r"(?i)readonly|privileges"):
        clickhouse.command("INSERT INTO dead_letters (id) VALUES ('x')")
    clickhouse.close()
