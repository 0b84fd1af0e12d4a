"""A real trace through every service, as a user starts it; every cell held against the oracle."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.support.commands import answer, run
from tests.support.oracle import Cell, cells
from tests.support.stack import environment
from tests.support.system import Cli

from outlay.demo.trace import read_trace
from outlay.demo.workload import usage_events
from outlay_kit.clickhouse import ClickHouseClient

pytestmark = pytest.mark.stack

START = "2026-11-20T09:00:00Z"
PLAY = ("demo", "--speed", "0", "--start", START)
_CUT: dict[str, dict[str, int]] = {"minute": {}, "hour": {"minute": 0}, "day": {"minute": 0, "hour": 0}}
_VIEWS = {"minute": "costs_minutely", "hour": "costs_hourly", "day": "costs_daily"}


@pytest.fixture(scope="module")
def figures(cli: Cli) -> dict[str, object]:
    found = cli.json(*PLAY)
    assert isinstance(found, dict)
    return found


@pytest.fixture(scope="module")
def expected() -> dict[Cell, tuple[Decimal, int, int]]:
    return cells(usage_events(read_trace(None), datetime.fromisoformat(START)))


def test_all_that_was_sent_is_counted_and_costs_what_the_oracle_says(
    figures: dict[str, object], expected: dict[Cell, tuple[Decimal, int, int]]
) -> None:
    assert figures["sent"] == figures["accepted"] == figures["ledger_rows"] == 9541
    assert figures["dead_letters"] == 0
    assert Decimal(str(figures["ledger_cost"])) == sum(cost for cost, _, _ in expected.values())
    assert figures["ledger_cost"] == figures["rollup_cost"]
    assert figures["unpriced"] == sum(unpriced for _, _, unpriced in expected.values()) == 183
    assert figures["priced"] == 9541 - 183


def budget_alerts(cli: Cli) -> list[tuple[str, str]]:
    """Return the budgets' alerts. What came days late may have been a spike while only a part was counted, silently."""
    clickhouse = ClickHouseClient(cli.state().clickhouse_settings())
    rows = clickhouse.rows(
        "SELECT JSONExtractString(body, 'rule') AS rule, JSONExtractString(body, 'level') AS level"
        " FROM alerts FINAL WHERE tenant = 'demo' AND JSONExtractString(body, 'rule_type') = 'budget'"
    )
    clickhouse.close()
    return sorted((row["rule"], row["level"]) for row in rows)


BUDGET_ALERTS = [
    ("demo-all", "25"), ("demo-developer-tools", "100"), ("demo-developer-tools", "50"),
    ("demo-developer-tools", "80"), ("demo-research", "50"),
]  # fmt: skip


@pytest.mark.usefixtures("figures")
def test_each_budget_tells_each_threshold_once(cli: Cli) -> None:
    assert budget_alerts(cli) == BUDGET_ALERTS


@pytest.mark.parametrize("grain", ["minute", "hour", "day"])
def test_every_cell_of_every_rollup_is_the_oracles(
    cli: Cli, figures: dict[str, object], expected: dict[Cell, tuple[Decimal, int, int]], grain: str
) -> None:
    right: dict[Cell, tuple[Decimal, int, int]] = defaultdict(lambda: (Decimal(0), 0, 0))
    for (at, *names), (cost, events, unpriced) in expected.items():
        cell = (at.replace(**_CUT[grain]), *names)  # type: ignore[arg-type]
        before = right[cell]  # type: ignore[index]
        right[cell] = (before[0] + cost, before[1] + events, before[2] + unpriced)  # type: ignore[index]
    clickhouse = ClickHouseClient(cli.state().clickhouse_settings())
    rows = clickhouse.rows(
        f"SELECT toUnixTimestamp(time) AS at, team, project, provider, sku, user, cost, events, unpriced_events"  # noqa: S608
        f" FROM {_VIEWS[grain]} WHERE tenant = 'demo'"
    )
    clickhouse.close()
    found = {
        (datetime.fromtimestamp(r["at"], UTC), r["team"], r["project"], r["provider"], r["sku"], r["user"]): (
            r["cost"],
            r["events"],
            r["unpriced_events"],
        )
        for r in rows
    }
    assert len(found) == len(rows)
    assert found == right


def test_the_same_hour_again_changes_no_total(cli: Cli, figures: dict[str, object]) -> None:
    again = cli.json(*PLAY)
    same = ("sent", "accepted", "ledger_rows", "ledger_cost", "rollup_cost", "priced", "unpriced")
    assert {name: again[name] for name in same} == {name: figures[name] for name in same}
    assert again["latency_p99_ms"] is not None
    assert budget_alerts(cli) == BUDGET_ALERTS


def test_another_trace_may_be_played(cli: Cli, tmp_path: object) -> None:
    trace = cli.home / "trace.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-01 00:00:00.0000000,100,10\n")
    found = cli.json("demo", "--speed", "0", "--start", "2026-11-10T00:00:00Z", "--trace", str(trace))
    assert found["sent"] == found["ledger_rows"] == 4  # a call, and a minute of GPU, storage and transfer


def test_an_invalid_trace_is_reported_with_its_position(cli: Cli) -> None:
    trace = cli.home / "bad.csv"
    trace.write_text("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-01,ten,10\n")
    assert "line 2" in cli("demo", "--trace", str(trace), status=1)


def test_events_are_emitted_and_refusals_named(cli: Cli) -> None:
    good = {
        "id": "1", "source": "t", "time": "2026-11-21T00:00:00Z", "kind": "llm", "provider": "openai",
        "sku": "gpt-4.1", "usage": {"input_tokens": 1000},
    }  # fmt: skip
    lines = f"{json.dumps(good)}\n{json.dumps({**good, 'id': '2', 'usage': {'input_tokens': -1}})}\n"
    output = cli("emit", "-", stdin=lines, status=1)
    assert "accepted 1, refused 1" in output
    assert "event 2: $.usage.input_tokens" in output
    assert cli.json("query", "SELECT 1 AS one") == [{"one": 1}]


def test_status_and_doctor_say_that_all_is_well(cli: Cli) -> None:
    status = cli.json("status")
    assert status["healthy"]
    names = [part["name"] for part in status["processes"]]
    assert names[:2] == ["clickhouse", "kafka"]
    assert {"ingest", "pricer", "aggregator", "alerter"} <= set(names)
    assert {part["state"] for part in status["processes"]} == {"ready"}
    assert "error" not in {check["state"] for check in cli.json("doctor")}


def test_status_and_doctor_check_what_the_environment_names(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = cli.state()
    stores = environment(state.kafka_settings(), state.clickhouse_settings(write=True))
    services = ",".join(f"{part.name}={part.health}" for part in state.processes if part.health)
    for name, value in {**stores, "OUTLAY_SERVICES": services}.items():
        monkeypatch.setenv(name, value)
    found = answer(run("status", "--json"))
    assert found["healthy"]
    assert [part["name"] for part in found["processes"]][:2] == ["kafka", "clickhouse"]
    assert len(found["processes"]) == 8
    assert any(part["lag"] is not None for part in found["processes"])
    assert {check["state"] for check in answer(run("doctor", "--json"))} == {"ok"}
    monkeypatch.setenv("OUTLAY_CLICKHOUSE_PASSWORD", "wrong")
    assert run("status").exit_code == 1
    checks = {check["name"]: check for check in answer(run("doctor", "--json"))}
    assert checks["ClickHouse"]["state"] == "error"
    assert "refuses user" in checks["ClickHouse"]["found"]


def test_a_second_system_in_the_same_folder_is_refused(cli: Cli) -> None:
    assert "runs already" in cli("up", "--ports", "auto", status=1)


def test_the_reader_cannot_write(cli: Cli) -> None:
    output = cli("query", "INSERT INTO ledger (tenant) VALUES ('x')", status=1)
    assert "READONLY" in output or "ACCESS_DENIED" in output
