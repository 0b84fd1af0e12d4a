"""ListCost under negotiated terms: each row has the list price of its meter times its quantity."""

import csv
import io
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.support.ledger import write
from tests.support.stack import Stack

from outlay.catalog import load_default
from outlay.focus.write import Wanted, tables, write_csv
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.catalog import Catalog
from outlay_schemas.events import Quantity, UsageEvent

pytestmark = pytest.mark.stack

TENANT = "focus-negotiated"
MONTH = TimeRange(datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
ROWS = 399
LIST = {"input_tokens": "1.25", "cache_read_tokens": "0.125", "output_tokens": "10"}
"""USD for a million tokens of gpt-5: platform.openai.com/docs/pricing."""


def usage_events() -> list[UsageEvent]:
    """Return one event in each of 399 hours of the month, every one with cached input."""
    draw = random.Random(6)  # noqa: S311 (the same events each time)
    hours = sorted(draw.sample(range(31 * 24), ROWS))
    found = []
    for number, hour in enumerate(hours):
        tokens = draw.randrange(2_000, 60_000)
        usage: dict[str, Quantity] = {
            "input_tokens": tokens,
            "cache_read_tokens": draw.randrange(1_000, tokens),
            "output_tokens": draw.randrange(1, 3_000),
        }
        at = MONTH.start + timedelta(hours=hour, seconds=draw.randrange(3600))
        found.append(
            UsageEvent(
                id=f"call-{number}", source="test", time=at, kind="llm", provider="openai", sku="gpt-5",
                tenant=TENANT, usage=usage,
            )
        )  # fmt: skip
    return found


@pytest.mark.parametrize("terms", [{"markup_percent": 3}, {"discount_percent": 12}], ids=str)
def test_list_cost_is_the_list_price_times_the_quantity(ledger_stack: Stack, terms: dict[str, int]) -> None:
    negotiated = {"id": "deal", "match": {"provider": ["openai"], "sku": ["gpt-5*"]}, **terms}
    raw = load_default().model_dump(by_alias=True) | {"negotiated": [negotiated]}
    catalog = CompiledCatalog(Catalog.model_validate(raw))
    tenant = f"{TENANT}-{next(iter(terms))}"
    events = usage_events()
    for event in events:
        event.tenant = tenant
    write(ledger_stack.writer, [price(event, catalog) for event in events])
    clickhouse, page = ClickHouseClient(ledger_stack.reader), io.BytesIO()
    wanted = Wanted(MONTH, "1.2", "hour", (tenant,))
    write_csv(tables(clickhouse, wanted), page, wanted)
    clickhouse.close()
    rows = list(csv.DictReader(io.StringIO(page.getvalue().decode(), newline="")))

    cached = [row for row in rows if row["SkuMeter"] == "cache_read_tokens"]
    assert (len(cached), len(rows)) == (ROWS, 3 * ROWS)
    factor = 1 - Decimal(terms.get("discount_percent", 0)) / 100
    for row in rows:
        unit = Decimal(LIST[row["SkuMeter"]]) / 1_000_000
        listed = unit * Decimal(row["PricingQuantity"])
        assert Decimal(row["ListCost"]) == listed > 0, row
        assert Decimal(row["ListUnitPrice"]) == unit
        assert Decimal(row["BilledCost"]) == Decimal(row["ContractedCost"]) == listed * factor
    expected = sum(
        (e.usage["input_tokens"] - e.usage["cache_read_tokens"]) * Decimal("0.00000125")
        + e.usage["cache_read_tokens"] * Decimal("0.000000125")
        + e.usage["output_tokens"] * Decimal("0.00001")
        for e in events
    )
    assert sum(Decimal(row["ListCost"]) for row in rows) == expected
    markup = 1 + Decimal(terms.get("markup_percent", 0)) / 100
    assert sum(Decimal(row["x_ChargedCost"]) for row in rows) == pytest.approx(
        expected * factor * markup, abs=Decimal("1e-9")
    )
