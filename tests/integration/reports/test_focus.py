"""The export is valid FOCUS, and adds up to the ledger."""

import contextlib
import csv
import io
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.integration.reports.ledger import cost_event, random_events, write
from tests.stack import Stack

from outlay.focus.columns import Version, columns
from outlay.focus.validate import validate
from outlay.focus.write import pieces, tables, write_csv, write_parquet
from outlay_kit.spans import Span
from outlay_kit.warehouse import Warehouse
from outlay_schemas.events import CostEvent
from outlay_schemas.money import Usd

pytestmark = pytest.mark.stack

SPAN = Span(datetime(2026, 9, 29, 22, 30, tzinfo=UTC), datetime(2026, 10, 2, 4, 0, tzinfo=UTC))
TENANT = "focus-acme"


def special() -> list[CostEvent]:
    """Return what is not plain: cached input, an unknown meter, a reported cost, a list price, awkward tags."""
    at = SPAN.start + timedelta(hours=1)
    cached = cost_event(TENANT, 10_001, at, "3", tokens=1000)
    cached.usage = {"input_tokens": 1000, "cache_read_tokens": 400, "output_tokens": 5}
    cached.cost_parts = {
        "input_tokens": Usd("2"),
        "cache_read_tokens": Usd("0.5"),
        "output_tokens": Usd("0.5"),
    }
    partly = cost_event(TENANT, 10_002, at, "1")
    partly.price_status, partly.unpriced_meters = "unpriced", ["tool_calls"]
    partly.usage = {"input_tokens": 10, "tool_calls": 2}
    partly.cost_parts = {"input_tokens": Usd("1")}
    reported = cost_event(TENANT, 10_003, at, "7.000000000001", tags={'a"b,c': "d\ne", "team": "ü"})
    reported.price_status, reported.cost_parts, reported.reported_cost = "reported", {}, Usd("7.000000000001")
    agreed = cost_event(TENANT, 10_004, at, "2")
    agreed.list_cost = Usd("5")
    return [cached, partly, reported, agreed]


EVENTS = [*random_events(TENANT, SPAN, 400, seed=3), *special()]


@pytest.fixture(scope="module")
def warehouse(books_stack: Stack) -> Iterator[Warehouse]:
    write(books_stack.warehouse, EVENTS)
    reader = Warehouse(books_stack.reader)
    yield reader
    reader.close()


def exported(
    warehouse: Warehouse, version: Version, grain: str = "hour"
) -> tuple[list[str], list[dict[str, str]]]:
    page = io.BytesIO()
    write_csv(tables(warehouse, SPAN, version, grain, (TENANT,), text=True), page, version)
    reader = csv.DictReader(io.StringIO(page.getvalue().decode(), newline=""))
    rows = list(reader)
    return list(reader.fieldnames or []), rows


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("grain", ["hour", "day"])
def test_it_breaks_no_rule_and_adds_up(warehouse: Warehouse, version: Version, grain: str) -> None:
    names, rows = exported(warehouse, version, grain)
    assert names == [column.name for column in columns(version)]
    assert list(validate(names, rows, version)) == []
    whole = sum((Decimal(event.cost or 0) for event in EVENTS), Decimal(0))
    for column in ("BilledCost", "EffectiveCost", "ContractedCost"):
        assert sum(Decimal(row[column]) for row in rows) == whole
    assert sum(Decimal(row["ListCost"]) for row in rows) == whole + 3


def test_each_meter_has_its_own_quantity_and_nothing_is_counted_twice(warehouse: Warehouse) -> None:
    _, rows = exported(warehouse, "1.2", "day")
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["SkuMeter"]] += Decimal(row["ConsumedQuantity"])  # type: ignore[assignment]
    priced = [event for event in EVENTS if event.cost_parts]
    cached = Decimal(400)
    assert sums["cache_read_tokens"] == cached
    assert sums["input_tokens"] == sum(Decimal(e.usage["input_tokens"]) for e in priced) - cached
    assert sums["tool_calls"] == 2
    assert {row["ConsumedUnit"] for row in rows if row["SkuMeter"].endswith("tokens")} == {"Tokens"}


def test_what_is_unpriced_is_there_and_marked(warehouse: Warehouse) -> None:
    _, rows = exported(warehouse, "1.2")
    unpriced = [row for row in rows if row["x_PriceStatus"] == "unpriced"]
    events = sum(int(row["x_UnpricedEvents"]) for row in unpriced if row["SkuMeter"] != "input_tokens")
    assert events == sum(event.price_status == "unpriced" for event in EVENTS)
    assert all("not wholly priced" in row["ChargeDescription"] for row in unpriced)


def test_awkward_tags_survive(warehouse: Warehouse) -> None:
    _, rows = exported(warehouse, "1.2")
    (row,) = [row for row in rows if row["x_PriceStatus"] == "reported"]
    assert row["Tags"] == '{"a\\"b,c":"d\\ne","team":"ü"}'
    assert row["BilledCost"] == "7.000000000001"


def test_a_span_is_cut_into_pieces_of_bounded_rows_without_a_gap() -> None:
    cut = pieces(SPAN, "hour")
    found = [next(cut)]
    with contextlib.suppress(StopIteration):
        while True:
            found.append(cut.send(100 if len(found) < 3 else 500_000))
    assert found[0] == Span(SPAN.start, SPAN.start.replace(hour=23, minute=0))
    assert [later.start for later in found[1:]] == [earlier.end for earlier in found[:-1]]
    assert found[-1].end == SPAN.end
    assert max(piece.length for piece in found) == timedelta(hours=16)
    assert found[-2].length == timedelta(hours=1)


def test_parquet_has_the_same_rows_typed(warehouse: Warehouse, tmp_path: Path) -> None:
    file = tmp_path / "focus.parquet"
    count = write_parquet(tables(warehouse, SPAN, "1.3", "hour", (TENANT,), text=False), file, "1.3")
    table = pq.read_table(file)
    _, rows = exported(warehouse, "1.3")
    assert table.num_rows == count == len(rows)
    costs = table.column("BilledCost").to_pylist()
    assert sum(costs) == sum(Decimal(row["BilledCost"]) for row in rows)
    assert str(table.schema.field("ChargePeriodStart").type) == "timestamp[ms, tz=UTC]"
    first = table.column("ChargePeriodStart").to_pylist()[0]
    assert f"{first:%Y-%m-%dT%H:%M:%SZ}" == rows[0]["ChargePeriodStart"]
