"""Every version of the tables, applied in order to a database with data in it, on the real engine."""

import uuid
from collections.abc import Iterator
from decimal import Decimal

import pytest
from tests.first_release import write_as_then
from tests.integration.aggregator.rig import START, World, cost_event, lines, stored

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.windows import GRAINS
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.fakes import FakeBroker
from outlay_kit.migrator import migrate, migrations
from outlay_kit.settings import ClickHouseSettings

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
    books = LedgerStore(clickhouse, 1000)
    for grain in GRAINS:  # what is new in a window of then is what recomputing it says
        assert books.differences_between(grain, at, at + 86_400) == []
    day = "SELECT cost, charged, estimated_events, estimated_cost FROM costs_daily"
    assert [tuple(row.values()) for row in clickhouse.rows(day)] == [
        (Decimal("0.000000000003"), Decimal("0.000000000003"), 0, 0)
    ]
    World(clickhouse, broker := FakeBroker())
    world = World(clickhouse, broker)
    world.send(lines([cost_event("acme", "after", cost="1")]))
    world.run_through([])
    for grain in GRAINS:
        assert sum(m[0] for m in stored(clickhouse, "acme", grain).values()) == Decimal("1.000000000003")
    clickhouse.close()


def test_migrating_again_applies_nothing_and_half_a_version_is_completed(empty: ClickHouseSettings) -> None:
    everything = migrate(empty)
    assert everything == [name for _, name, _ in migrations()]
    assert migrate(empty) == []
    clickhouse = ClickHouseClient(empty)
    clickhouse.command("TRUNCATE TABLE schema_migrations")  # died between a statement and its mark
    assert migrate(empty) == everything
    clickhouse.close()


def test_every_table_view_and_column_says_what_it_is(empty: ClickHouseSettings) -> None:
    migrate(empty)
    clickhouse = ClickHouseClient(empty)
    tables = clickhouse.rows("SELECT name, comment FROM system.tables WHERE database = currentDatabase()")
    assert {"ledger", "rollup_minute", "costs", "costs_daily", "dead_letters"} <= {t["name"] for t in tables}
    assert [t["name"] for t in tables if not t["comment"]] == []
    columns = clickhouse.rows(
        "SELECT concat(table, '.', name) AS name FROM system.columns"
        " WHERE database = currentDatabase() AND comment = '' AND table NOT IN ('schema_migrations')"
        " AND name NOT LIKE 'groups.%'"
    )
    assert columns == []
    clickhouse.close()
