"""Newer tables under a running system: from those of the first release, while events come in."""

from pathlib import Path

import pytest
from tests.chaos.rig import Pipeline, Sender, make
from tests.chaos.stores import Stores
from tests.processes import end_all, until
from tests.promises import Tally

from outlay_aggregator.adapters.books import Books
from outlay_aggregator.domain.windows import GRAINS, Window
from outlay_kit.migrator import migrate, migrations
from outlay_kit.settings import WarehouseSettings
from outlay_kit.warehouse import Warehouse

pytestmark = pytest.mark.stack


def test_p16_the_tables_of_the_first_release_are_migrated_under_load(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    """The ledger has rows of the first release; services start, which migrates, and another migrates beside them."""
    old = stores.warehouse.model_copy(update={"database": "first_release"})
    assert migrate(old, through=1) == ["0001_ledger.sql"]
    pipeline = Pipeline(stores, tmp_path / "run", database="first_release")
    before = make(600, seed=16)
    pipeline.ingest.start()
    pipeline.pricer.start()
    Sender(pipeline.ingest, before, rate=10_000).join()
    _write_as_then(old)
    sender = Sender(pipeline.ingest, after := make(3000, seed=17, source="after"), rate=500)
    pipeline.aggregator.launch()
    assert set(migrate(old)) <= {name for _, name, _ in migrations()}  # at the same time
    until(sender.done, 60, "everything sent")
    pipeline.settle()
    wrong = pipeline.mismatches([*before, *after])
    tally("P16", "tables of the first release migrated while events come in", 3600, 0, wrong)
    assert wrong == 0
    assert migrate(old) == []
    rows = pipeline.warehouse.rows("SELECT cost FROM costs_daily WHERE tenant = 'first'")
    assert [str(row["cost"]) for row in rows] == ["0.250000000000"]
    pipeline.stop()
    end_all()


def _write_as_then(old: WarehouseSettings) -> None:
    """Write a ledger row and its windows before any later version of the tables: they must be read after."""
    warehouse = Warehouse(old)
    warehouse.command(
        "INSERT INTO ledger (tenant, source, id, time, kind, provider, sku, cost, price_status, revision)"
        " VALUES ('first', 'release', '1', '2026-11-01 00:00:30', 'llm', 'openai', 'gpt-5', 0.25, 'priced', 1)"
    )
    minute = 1_793_491_200
    books = Books(warehouse, 1000)
    for grain in GRAINS:
        books.store(grain, books.compute(grain, [Window(minute, "first")]))
    warehouse.close()
