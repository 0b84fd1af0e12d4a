"""Newer tables under a running system: from those of the first release, while events come in."""

from pathlib import Path

import pytest
from tests.support.chaos.rig import Pipeline, Sender, make
from tests.support.chaos.stores import Stores
from tests.support.first_release import write_as_then
from tests.support.promises import Tally
from tests.support.waiting import until

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.migrator import migrate, migrations

pytestmark = pytest.mark.stack


def test_p16_the_tables_of_the_first_release_are_migrated_under_load(
    stores: Stores, tmp_path: Path, tally: Tally
) -> None:
    """The ledger has rows of the first release; services start, which migrates, and another migrates beside them."""
    old = stores.writer.model_copy(update={"database": "first_release"})
    assert migrate(old, through=1) == ["0001_ledger.sql"]
    pipeline = Pipeline(stores, tmp_path / "run", database="first_release")
    before = make(600, seed=16)
    pipeline.ingest.start()
    pipeline.pricer.start()
    Sender(pipeline.ingest, before, rate=10_000).join()
    clickhouse = ClickHouseClient(old)
    write_as_then(clickhouse, "first", 1_793_491_230, ["0.25"])
    clickhouse.close()
    sender = Sender(pipeline.ingest, after := make(3000, seed=17, source="after"), rate=500)
    pipeline.aggregator.launch()
    assert set(migrate(old)) <= {name for _, name, _ in migrations()}  # at the same time
    until(sender.done, 60, "everything sent")
    pipeline.settle()
    wrong = pipeline.mismatches([*before, *after])
    tally("P16", "tables of the first release migrated while events come in", 3600, 0, wrong)
    assert wrong == 0
    assert migrate(old) == []
    rows = pipeline.clickhouse.rows("SELECT cost, charged FROM costs_daily WHERE tenant = 'first'")
    assert [(str(row["cost"]), str(row["charged"])) for row in rows] == [("0.250000000000", "0.250000000000")]
    pipeline.stop()
