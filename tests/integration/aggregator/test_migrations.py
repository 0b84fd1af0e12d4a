"""Every version of the tables, applied in order to a database with data in it, on the real engine."""

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.support.aggregator_system import START, System, cost_event, lines, stored
from tests.support.fake_broker import FakeBroker
from tests.support.first_release import FIRST_RELEASE, write_as_then
from tests.support.waiting import until

from outlay_aggregator.adapters.audit import Audit
from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.adapters.rebuild import Rebuild
from outlay_aggregator.domain.windows import GRAINS, Range
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.cluster_schema import cluster_of, clustered
from outlay_kit.errors import Refused
from outlay_kit.migrator import _cluster, migrate, migrations, statements
from outlay_kit.settings import ClickHouseSettings
from outlay_schemas.events import CostEvent

pytestmark = pytest.mark.stack


@pytest.fixture
def empty(engine_settings: ClickHouseSettings) -> Iterator[ClickHouseSettings]:
    """A database of the test's own; the engine is the session's."""
    settings = engine_settings.model_copy(update={"database": f"m_{uuid.uuid4().hex[:8]}"})
    yield settings
    server = ClickHouseClient(settings, database="")
    server.command("DROP DATABASE IF EXISTS {db:Identifier}", {"db": settings.database})
    server.close()


def test_each_version_after_the_other_keeps_the_data_and_the_newest_reads_it(
    empty: ClickHouseSettings,
) -> None:
    first = migrate(empty, through=1)
    assert first == ["0001_ledger.sql"]
    clickhouse = ClickHouseClient(empty)
    write_as_then(clickhouse, "acme", int(START.timestamp()), ["0.000000000001"] * 3)
    before = clickhouse.raw("SELECT * FROM ledger ORDER BY id")
    for number, name, _ in migrations()[1:]:
        assert migrate(empty, through=number) == [name]
    assert clickhouse.raw("SELECT * FROM ledger ORDER BY id").startswith(before[:50])
    cells = stored(clickhouse, "acme", "minute")
    assert [measures[:2] for measures in cells.values()] == [(Decimal("0.000000000003"), 3)]
    at = int(START.timestamp()) // 86_400 * 86_400
    store = LedgerStore(clickhouse, 1000)
    for grain in GRAINS:  # what is new in a window of then is what recomputing it says
        assert store.differences(grain, Range(at, at + 86_400)) == []
    day = "SELECT cost, charged, estimated_events, estimated_cost FROM costs_daily"
    assert [tuple(row.values()) for row in clickhouse.rows(day)] == [
        (Decimal("0.000000000003"), Decimal("0.000000000003"), 0, 0)
    ]
    System(clickhouse, broker := FakeBroker())
    system = System(clickhouse, broker)
    system.send(lines([cost_event("acme", "after", cost="1")]))
    system.run_through([])
    for grain in GRAINS:
        assert sum(m[0] for m in stored(clickhouse, "acme", grain).values()) == Decimal("1.000000000003")
    clickhouse.close()


@pytest.mark.parametrize("marked", [True, False])
def test_a_table_that_another_service_dropped_between_two_statements_does_no_harm(
    empty: ClickHouseSettings, monkeypatch: pytest.MonkeyPatch, marked: bool
) -> None:
    """Right after a table was made for the time of a version, another service applies the same version, and marks it
    or not yet."""
    number, made, parts = next(
        (number, part, parts)
        for number, _, sql in migrations()
        for parts in [statements(sql)]
        for part in parts
        if (table := re.match(r"CREATE TABLE IF NOT EXISTS (\w+)", part))
        and f"DROP TABLE IF EXISTS {table[1]}" in parts
    )
    migrate(empty, through=number - 1)
    command, rounds = ClickHouseClient.command, 0

    def interrupted(client: ClickHouseClient, sql: str, *args: Any, **options: Any) -> Any:
        nonlocal rounds
        answer = command(client, sql, *args, **options)
        if sql == made and not rounds:
            rounds = 1
            if marked:
                migrate(empty, through=number)
            else:
                for part in parts:
                    command(client, part)
        return answer

    monkeypatch.setattr(ClickHouseClient, "command", interrupted)
    migrate(empty, through=number)
    assert rounds == 1
    assert migrate(empty, through=number) == []


def test_a_version_that_ended_before_its_mark_is_applied_again(empty: ClickHouseSettings) -> None:
    clickhouse = ClickHouseClient(empty)
    for number, name, _ in migrations():
        assert migrate(empty, through=number) == [name]
        clickhouse.command(
            "ALTER TABLE schema_migrations DELETE WHERE number = {n:UInt32}",
            {"n": number},
            {"mutations_sync": 1},
        )
        assert migrate(empty, through=number) == [name]
    assert migrate(empty) == []
    clickhouse.close()


KEPT = {
    "SELECT state, ended_reason, seq, notified, incident FROM alerts FINAL": [
        ("resolved", "expected", 2, False, "a1")
    ],
    "SELECT target, action, comment, actor FROM alert_actions FINAL": [("a1", "expected", "a launch", "kim")],
    "SELECT message_id, state, attempt, version, batch_id FROM alert_outbox FINAL ORDER BY message_id": [
        ("m1", "failed", 10, 11, ""), ("m2", "waiting", 1, 2, "m3"),
    ],
    "SELECT message_id, outcome FROM alert_deliveries ORDER BY message_id": [("m1", "failed"), ("m2", "retry")],
    "SELECT period, seq, total, closed_by, unit FROM closed_periods FINAL": [
        ("2026-10", 1, Decimal("12.5"), "kim", "business_unit")
    ],
    "SELECT source, dimension, cells FROM high_cardinality_sources FINAL": [("gateway", "user", 6000)],
}  # fmt: skip


def test_a_database_of_the_first_release_becomes_like_a_fresh_one_and_keeps_its_rows(
    empty: ClickHouseSettings,
) -> None:
    migrate(empty, through=81)
    clickhouse = ClickHouseClient(empty)
    write_as_then(clickhouse, "acme", int(START.timestamp()), ["0.25"])
    for statement in FIRST_RELEASE:
        clickhouse.command(statement)
    migrate(empty)
    until(lambda: not clickhouse.rows("SELECT 1 FROM system.mutations WHERE NOT is_done"), 30, "mutations")
    for question, rows in KEPT.items():
        assert [tuple(row.values()) for row in clickhouse.rows(question)] == rows
    fresh = empty.model_copy(update={"database": f"{empty.database}_fresh"})
    migrate(fresh)
    assert _tables(clickhouse, empty.database) == _tables(clickhouse, fresh.database)
    clickhouse.command("DROP DATABASE {db:Identifier}", {"db": fresh.database})
    clickhouse.close()


def _tables(clickhouse: ClickHouseClient, database: str) -> dict[str, str]:
    rows = clickhouse.rows(
        "SELECT name, create_table_query AS sql FROM system.tables WHERE database = {db:String}",
        {"db": database},
    )
    return {row["name"]: row["sql"].replace(f"{database}.", "") for row in rows}


def test_every_table_view_and_column_says_what_it_is(empty: ClickHouseSettings) -> None:
    migrate(empty)
    clickhouse = ClickHouseClient(empty)
    tables = clickhouse.rows("SELECT name, comment FROM system.tables WHERE database = currentDatabase()")
    assert {"ledger", "rollup_minute", "costs", "costs_daily", "dead_letters"} <= {t["name"] for t in tables}
    assert [t["name"] for t in tables if not t["comment"]] == []
    columns = clickhouse.rows(
        "SELECT concat(table, '.', name) AS name FROM system.columns"
        " WHERE database = currentDatabase() AND comment = '' AND table NOT IN ('schema_migrations')"
        " AND table NOT IN (SELECT name FROM system.tables WHERE engine = 'MaterializedView')"
        " AND name NOT LIKE 'groups.%'"
    )
    assert columns == []
    clickhouse.close()


def test_the_entrance_of_the_ledger_takes_what_a_cost_event_has_in_the_ledgers_own_types(
    empty: ClickHouseSettings,
) -> None:
    migrate(empty)
    clickhouse = ClickHouseClient(empty)

    def columns(table: str) -> dict[str, str]:
        sql = (
            "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = {t:String}"
        )
        return {row["name"]: row["type"] for row in clickhouse.rows(sql, {"t": table})}

    ledger, taken = columns("ledger"), columns("ledger_input")
    assert taken.keys() == set(CostEvent.__struct_fields__)
    plain = {name: ledger[name].replace("LowCardinality(String)", "String") for name in taken}
    assert taken == plain
    clickhouse.close()


@pytest.mark.parametrize("table", ["conflicts", "rollup_day", "ledger"])
def test_an_audit_names_a_missing_table_and_the_remedy(empty: ClickHouseSettings, table: str) -> None:
    migrate(empty)
    clickhouse = ClickHouseClient(empty)
    clickhouse.command(f"DROP TABLE {table}")
    audit, whole = Audit(LedgerStore(clickhouse, 1000), clickhouse, FakeClock(START)), Range()
    questions: list[Callable[[], object]] = [
        lambda: audit.periods(whole), lambda: audit.differences(whole), lambda: audit.conflicts(whole)
    ]  # fmt: skip
    with pytest.raises(Refused, match=rf"has no table {table} in database .* outlay setup.*from a backup"):
        [ask() for ask in questions]
    clickhouse.close()


def on_one_node(statement: str) -> str:
    """What one engine without Keeper can run of a cluster's statement: all but ON CLUSTER and replication."""
    plain = re.sub(r" ON CLUSTER 'c'( SYNC)?", "", statement)
    return re.sub(r"Replicated(\w+)\('[^']*', '[^']*'(?:, )?(\w*)\)", r"\1(\2)", plain)


class OneNode(ClickHouseClient):
    """The engine as the one node of the cluster `c`; remembers what it was asked to run on every node."""

    def __init__(self, settings: ClickHouseSettings) -> None:
        super().__init__(settings)
        self.on_cluster: list[str] = []
        for name, value in {"distributed_product_mode": "local", "distributed_foreground_insert": 1}.items():
            self.command(f"SET {name} = '{value}'")

    def command(self, sql: str, *args: Any) -> object:
        if " ON CLUSTER 'c'" in sql:
            self.on_cluster.append(sql)
        return super().command(on_one_node(sql), *args)


def create_on_cluster(clickhouse: OneNode) -> None:
    for _, _, sql in migrations():
        for statement in statements(sql):
            for part in clustered(statement, "c"):
                parsed = clickhouse.rows("SELECT formatQuery({q:String}) AS q", {"q": part})[0]["q"]
                changes = re.match(r"\s*(CREATE|ALTER|RENAME|DROP)", part)
                assert ("ON CLUSTER" in parsed) == bool(changes), part
                clickhouse.command(part)


def test_events_are_counted_audited_and_rebuilt_through_the_distributed_tables_of_a_cluster(
    empty: ClickHouseSettings,
) -> None:
    server = ClickHouseClient(empty, database="")
    server.command("CREATE DATABASE {db:Identifier}", {"db": empty.database})
    clickhouse = OneNode(empty)
    create_on_cluster(clickhouse)
    assert cluster_of(clickhouse) == "c"
    clickhouse.on_cluster.clear()
    system = System(clickhouse, FakeBroker())
    events = [cost_event("acme", str(n), START + timedelta(minutes=n), "0.5") for n in range(90)]
    for sent in (events, events[:40], [cost_event("acme", "0", START + timedelta(days=1), "2", accepted=1)]):
        system.send(lines(sent))
        system.run_through([])
    store, asked = LedgerStore(clickhouse, 1000), Range(tenants=["acme"])
    audit, rebuild = Audit(store, clickhouse, FakeClock(START)), Rebuild(store)
    assert audit.differences(asked) == (0, [])
    clickhouse.command(  # the first minute: nothing happened, in a version that is newer than the right one
        "INSERT INTO rollup_minute (tenant, window, version, groups) SELECT tenant, window, version + 1, []"
        " FROM rollup_minute FINAL WHERE tenant = 'acme' ORDER BY window LIMIT 1"
    )
    assert audit.differences(asked)[0] >= 1
    assert not clickhouse.on_cluster
    minutes = rebuild.run(asked, audit.spans(asked))[0]
    assert (minutes.wrong, minutes.removed) == (1, 1)
    [removal] = clickhouse.on_cluster
    assert removal.startswith("ALTER TABLE rollup_minute_local ON CLUSTER 'c' DELETE WHERE ")
    assert audit.differences(asked) == (0, [])
    for grain in GRAINS:
        cells = stored(clickhouse, "acme", grain).values()
        assert (sum(m[0] for m in cells), sum(m[1] for m in cells)) == (Decimal("46.5"), 90)
    clickhouse.close()
    server.close()


def test_the_tables_of_a_cluster_are_those_of_one_server_as_far_as_one_node_can_show(
    empty: ClickHouseSettings,
) -> None:
    single = empty.model_copy(update={"database": f"{empty.database}_single"})
    migrate(single)
    server = ClickHouseClient(empty, database="")
    server.command("CREATE DATABASE {db:Identifier}", {"db": empty.database})
    clickhouse = OneNode(empty)
    create_on_cluster(clickhouse)
    columns = (
        "SELECT table, arraySort(groupArray((position, name, type, default_kind))) AS c"
        " FROM system.columns WHERE database = {db:String} GROUP BY table"
    )
    wanted, found = (
        {row["table"]: row["c"] for row in server.rows(columns, {"db": db})}
        for db in (single.database, empty.database)
    )
    del wanted["schema_migrations"]
    assert {name: c for name, c in found.items() if not name.endswith("_local")} == wanted
    for name in ("ledger", "rollup_minute", "rollup_hour", "rollup_day", "identities"):
        assert found[f"{name}_local"] == wanted[name]
    sharded = server.rows(
        "SELECT name FROM system.tables WHERE database = {db:String} AND engine = 'Distributed' ORDER BY name",
        {"db": empty.database},
    )
    assert [row["name"] for row in sharded] == [
        "identities", "ledger", "rollup_day", "rollup_hour", "rollup_minute",
    ]  # fmt: skip
    server.command("DROP DATABASE {db:Identifier}", {"db": single.database})
    server.close()
    clickhouse.close()


def test_a_database_with_plain_tables_is_not_made_a_cluster_of(empty: ClickHouseSettings) -> None:
    migrate(empty)
    clickhouse = ClickHouseClient(empty)
    assert _cluster(clickhouse, "") == ""
    with pytest.raises(ValueError, match="not on the cluster c"):
        _cluster(clickhouse, "c")
    clickhouse.close()
