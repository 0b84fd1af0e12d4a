"""An idle GPU, from what dcgm-exporter wrote to the money that releasing it saves, and to the split that shares it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.support.ingest_rig import Rig
from tests.support.ledger import write
from tests.support.stack import Stack

from outlay.catalog import load_default
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.migrator import migrate
from outlay_kit.time_ranges import TimeRange
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.ledger import Selection
from outlay_pricer.opportunities.search import find
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import CostQuery
from outlay_reports.statements import allocate_query
from outlay_schemas.catalog import Catalog, PriceBook, Split

pytestmark = pytest.mark.stack

RECORDED = (Path(__file__).parents[2] / "golden" / "dcgm-exporter-recorded.txt").read_bytes()
START = datetime(2026, 11, 24, 9, tzinfo=UTC)
HOUR = TimeRange(START, START + timedelta(hours=1))
BOOK = PriceBook.model_validate({
    "name": "gpus", "version": "1",
    "rules": [{"id": "t4", "sku": "Tesla T4", "prices": [{"meters": {"gpu_seconds": {"price": "0.36", "per": 3600}}}]}],
})  # fmt: skip
SPLIT = Split.model_validate({
    "id": "idle", "match": {"attributes": {"allocation": "idle"}}, "method": "fixed",
    "shares": [{"sets": {"team": "a"}, "weight": 3}, {"sets": {"team": "b"}, "weight": 1}],
})  # fmt: skip


@pytest.fixture
async def ledger(stack: Stack, tmp_path: Path) -> AsyncIterator[ClickHouseClient]:
    """An hour of one idle T4, sampled every half minute, by the endpoint of DCGM."""
    rig = Rig(tmp_path)
    headers = {"Content-Type": "text/plain", "Authorization": f"Bearer {rig.key}"}
    for step in range(120):
        at = START + timedelta(seconds=30 * step)
        where = f"/v1/gpus?interval=60&provider=own&time={at:%Y-%m-%dT%H:%M:%SZ}"
        answer = await rig.client.post(where, content=RECORDED, headers=headers)
        assert answer.json()["accepted"] == 1
    catalog = CompiledCatalog(_catalog())
    settings = stack.writer.model_copy(update={"database": "idle_gpus"})
    migrate(settings)
    write(settings, [price(event, catalog) for event in rig.sink.events()])
    clickhouse = ClickHouseClient(settings)
    yield clickhouse
    clickhouse.close()


def _catalog() -> Catalog:
    return load_default().model_copy(update={"price_books": (BOOK,)})


async def test_an_idle_gpu_is_found_and_shared(ledger: ClickHouseClient) -> None:
    wanted = Selection(since=HOUR.start, until=HOUR.end, tenant="acme")
    (finding,) = find(ledger, _catalog(), wanted, most=1000).findings
    assert (finding.method.recommendation, finding.where[3:]) == (
        "release what nothing runs on",
        ("own", "Tesla T4"),
    )
    assert (Decimal(finding.saving) / 10**12, finding.events) == (Decimal("0.36"), 60)

    question = CostQuery(HOUR, ZoneInfo("UTC"), ("team",), {}, ("acme",))
    shared = allocate_query(CostReader(ledger), question, [SPLIT])
    assert {part.keys: Decimal(part.cost) / 10**12 for part in shared.received} == {
        ("a",): Decimal("0.27"),
        ("b",): Decimal("0.09"),
    }
    assert [cell.sums.cost for cell in shared.own if cell.sums.cost] == []
