"""What could be saved is written down for the pages that show it, and looked for again in time."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.ledger import write
from tests.support.stack import Stack

from outlay.catalog import load_default
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.migrator import migrate
from outlay_pricer.domain import CompiledCatalog, price
from outlay_pricer.opportunities.search import OpportunityScanner
from outlay_schemas.catalog import Catalog
from outlay_schemas.events import CostEvent, UsageEvent

pytestmark = pytest.mark.stack
NOW = datetime(2026, 11, 25, 14, 42, 7, tzinfo=UTC)
SUMS = "SELECT events FROM opportunities WHERE tenant = {tenant:String} AND id = '' ORDER BY evaluated_at"


def call(catalog: Catalog, tenant: str, number: int, at: datetime) -> CostEvent:
    usage = UsageEvent(
        id=f"c-{number}", source="t", time=at, kind="llm", provider="anthropic", sku="claude-opus-4-1",
        usage={"input_tokens": 10_000 + number, "output_tokens": 100}, activity="inference", tenant=tenant,
        team="growth", project="chat", user="u",
    )  # fmt: skip
    return price(usage, CompiledCatalog(catalog))


def test_each_tenant_is_looked_at_by_itself_and_again_when_it_is_time(stack: Stack) -> None:
    settings = stack.writer.model_copy(update={"database": "opportunities"})
    migrate(settings)
    catalog = load_default()
    write(settings, [call(catalog, "acme", n, NOW - timedelta(minutes=n)) for n in range(30)])
    write(settings, [call(catalog, "globex", 1, NOW - timedelta(days=2))])
    clock, clickhouse = FakeClock(NOW), ClickHouseClient(settings)
    looks = OpportunityScanner(clickhouse, clock, every=900, most=20)
    looks.turn(catalog)
    looks.turn(catalog)  # not yet time
    (acme,), (globex,) = (clickhouse.rows(SUMS, {"tenant": name}) for name in ("acme", "globex"))
    assert acme["events"] == 20
    assert globex["events"] == 1
    found = clickhouse.rows("SELECT * FROM opportunities WHERE tenant = 'globex' AND id != ''")
    kinds = {row["kind"] for row in found}
    assert {"newer model", "smaller model"} <= kinds
    one = next(row for row in found if row["recommendation"] == "use claude-opus-4-5")
    # opus 4.1: 15 and 75 USD a million; opus 4.5: 5 and 25
    assert one["saving"] == Decimal("0.10001") + Decimal("0.005")
    assert (one["example_source"], one["example_id"], one["team"]) == ("t", "c-1", "growth")
    clock.advance(31)
    looks.turn(catalog)
    assert len(clickhouse.rows(SUMS, {"tenant": "acme"})) == 1
    write(settings, [call(catalog, "globex", n, NOW - timedelta(minutes=1)) for n in range(2, 4)])
    clock.advance(31)
    looks.turn(catalog)
    assert [row["events"] for row in clickhouse.rows(SUMS, {"tenant": "globex"})] == [1, 3]
    assert len(clickhouse.rows(SUMS, {"tenant": "acme"})) == 1
    write(settings, [call(catalog, "acme", n, NOW - timedelta(minutes=1)) for n in range(30, 90)])
    clock.advance(31)
    looks.turn(catalog)
    assert len(clickhouse.rows(SUMS, {"tenant": "acme"})) == 1, "a look at the most is not repeated for more"
    clock.advance(900)
    looks.turn(catalog)
    assert len(clickhouse.rows(SUMS, {"tenant": "acme"})) == 2
    clickhouse.close()
