"""A bill that comes again: lines with other amounts change, and lines that it lost cost nothing any more."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from tests.support.bills import LINE
from tests.support.ledger import write
from tests.support.stack import Stack

from outlay.bills import Bill, Key, earlier_lines
from outlay.catalog import load_default
from outlay_ingest.domain.decoded_items import Item
from outlay_ingest.domain.focus import read_focus
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.migrator import migrate
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.events import CostEvent, UsageEvent

pytestmark = pytest.mark.stack

TENANT = "billed"
CATALOG = CompiledCatalog(load_default())


@pytest.fixture
def stores(stack: Stack) -> Iterator[tuple[Any, ClickHouseClient]]:
    settings = stack.writer.model_copy(update={"database": "restated_bill"})
    migrate(settings)
    clickhouse = ClickHouseClient(settings)
    yield settings, clickhouse
    clickhouse.close()


def priced(items: list[Item | None], accepted: int) -> list[CostEvent]:
    found = []
    for item in items:
        assert item is not None
        assert isinstance(item.event, UsageEvent)
        item.event.tenant = TENANT
        cost = price(item.event, CATALOG)
        cost.accepted_ms = accepted
        found.append(cost)
    return found


_TOTAL = "SELECT toString(sum(cost)) AS usd FROM costs WHERE tenant = {tenant:String}"
_ROLLED = "SELECT toString(sum(cost)) AS usd FROM costs_daily WHERE tenant = {tenant:String}"


def total(clickhouse: ClickHouseClient) -> Decimal:
    (row,) = clickhouse.rows(_TOTAL, {"tenant": TENANT})
    (rolled,) = clickhouse.rows(_ROLLED, {"tenant": TENANT})
    assert Decimal(row["usd"]) == Decimal(rolled["usd"])
    return Decimal(row["usd"])


def test_a_line_that_left_the_restated_bill_leaves_the_ledger(stores: tuple[Any, ClickHouseClient]) -> None:
    settings, clickhouse = stores
    lines = [{**LINE, "SkuId": "A", "EffectiveCost": "9"}, {**LINE, "SkuId": "B", "EffectiveCost": "17"},
             {**LINE, "SkuId": "C", "EffectiveCost": "1"}]  # fmt: skip
    write(settings, priced(list(Bill().noting(read_focus(lines))), 1))
    other = {**LINE, "BillingAccountId": "2", "EffectiveCost": "100"}
    write(settings, priced(list(read_focus([other])), 1))
    assert total(clickhouse) == 127

    again = Bill()
    write(settings, priced(list(again.noting(read_focus([lines[0], lines[2]]))), 2))
    assert again.keys == {Key("focus/AWS", "1", "2026-11")}
    removals = list(again.removals(earlier_lines(clickhouse, TENANT, again.keys)))
    assert (len(removals), again.removed, again.removed_cost) == (1, 1, Decimal(17))
    write(settings, priced(list(removals), 3))
    assert total(clickhouse) == 110, "10 of this account, and the other account is not touched"

    third = Bill()
    list(third.noting(read_focus([lines[0], lines[2]])))
    assert list(third.removals(earlier_lines(clickhouse, TENANT, third.keys))) == []
    write(settings, priced(list(read_focus(lines)), 4))
    assert total(clickhouse) == 127, "a line that comes back counts again"
