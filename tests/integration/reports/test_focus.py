"""The export is valid FOCUS, and adds up to the ledger."""

import contextlib
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from tests.support.focus_rules import validate
from tests.support.ledger import cost_event, random_events, write
from tests.support.stack import Stack

from outlay.focus.allocation import Sharing, sharing
from outlay.focus.columns import Version, columns
from outlay.focus.write import Wanted, pieces, tables, write_csv, write_parquet
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.allocation import allocate
from outlay_reports.cost_query import CostQuery
from outlay_schemas.catalog import Match, Share, Split
from outlay_schemas.events import CostEvent
from outlay_schemas.money import Usd, to_pico

pytestmark = pytest.mark.stack

SPAN = TimeRange(datetime(2026, 9, 29, 22, 30, tzinfo=UTC), datetime(2026, 10, 2, 4, 0, tzinfo=UTC))
TENANT = "focus-acme"


def _by_meter(*amounts: str) -> dict[str, Usd]:
    meters = ("input_tokens", "cache_read_tokens", "output_tokens")
    return dict(zip(meters, map(Usd, amounts), strict=False))


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
    premium = cost_event(
        TENANT, 10_006, at, "3.1", sku="gpt-5-premium"
    )  # 3 % more than the list price, but for output
    premium.usage = {"input_tokens": 1000, "cache_read_tokens": 400, "output_tokens": 5}
    premium.cost_parts = _by_meter("2.06", "0.0309", "1.0091")  # 3% more than the list price, but for output
    premium.list_cost, premium.list_parts = Usd("3.0291"), _by_meter("2", "0.03", "0.9991")
    given_away = cost_event(TENANT, 10_007, at, "1", sku="gpt-5-premium")
    given_away.usage = {"input_tokens": 1000, "cache_read_tokens": 400}
    given_away.cost_parts = {"input_tokens": Usd("1")}
    given_away.list_cost, given_away.list_parts = Usd("1.5"), _by_meter("1.1", "0.4")
    less = cost_event(TENANT, 10_005, at, "1.5", sku="gpt-5-nano")  # billed less than its parts come to
    less.price_status, less.cost_parts = "reported", {"input_tokens": Usd("1"), "output_tokens": Usd("0.75")}
    less.charged = Usd("1.600000000001")
    marked_up = cost_event(TENANT, 10_008, at, "3", sku="gpt-5-resold", charged="3.100000000001")
    marked_up.usage = {"input_tokens": 1000, "cache_read_tokens": 400, "output_tokens": 5}
    marked_up.cost_parts = _by_meter("1", "1", "1")
    free_with_fee = cost_event(TENANT, 10_009, at, "0", sku="gpt-5-resold", charged="0.000000000003")
    return [cached, partly, reported, agreed, premium, given_away, less, marked_up, free_with_fee]


EVENTS = [*random_events(TENANT, SPAN, 400, seed=3), *special()]
CHARGED = sum((Decimal(event.charged or event.cost or 0) for event in EVENTS), Decimal(0))


@pytest.fixture(scope="module")
def clickhouse(ledger_stack: Stack) -> Iterator[ClickHouseClient]:
    write(ledger_stack.writer, EVENTS)
    reader = ClickHouseClient(ledger_stack.reader)
    yield reader
    reader.close()


def exported(
    clickhouse: ClickHouseClient, version: Version, grain: str = "hour", parts: Sharing | None = None
) -> tuple[list[str], list[dict[str, str]]]:
    page = io.BytesIO()
    wanted = Wanted(SPAN, version, grain, (TENANT,), sharing=parts)
    write_csv(tables(clickhouse, wanted), page, wanted)
    reader = csv.DictReader(io.StringIO(page.getvalue().decode(), newline=""))
    rows = list(reader)
    return list(reader.fieldnames or []), rows


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
@pytest.mark.parametrize("grain", ["hour", "day"])
def test_it_breaks_no_rule_and_adds_up(clickhouse: ClickHouseClient, version: Version, grain: str) -> None:
    names, rows = exported(clickhouse, version, grain)
    assert names == [column.name for column in columns(version)]
    assert list(validate(names, rows, version)) == []
    whole = sum((Decimal(event.cost or 0) for event in EVENTS), Decimal(0))
    for column in ("BilledCost", "EffectiveCost", "ContractedCost"):
        assert sum(Decimal(row[column]) for row in rows) == whole
    assert sum(Decimal(row["x_ChargedCost"]) for row in rows) == CHARGED > whole
    listed = sum((Decimal(event.list_cost or event.cost or 0) for event in EVENTS), Decimal(0))
    assert sum(Decimal(row["ListCost"]) for row in rows) == listed


def test_each_meter_has_its_own_list_price_under_negotiated_terms(clickhouse: ClickHouseClient) -> None:
    _, rows = exported(clickhouse, "1.2", "day")
    listed: Counter[str] = Counter()
    for row in rows:
        if row["SkuId"] == "gpt-5-premium":
            listed[row["SkuMeter"]] += Decimal(row["ListCost"])  # type: ignore[assignment]
            assert Decimal(row["ListCost"]) >= 0
            assert Decimal(row["ListUnitPrice"]) >= 0
    assert listed == {
        "input_tokens": Decimal("3.1"),
        "cache_read_tokens": Decimal("0.43"),
        "output_tokens": Decimal("0.9991"),
    }


def test_each_meter_has_its_own_quantity_and_nothing_is_counted_twice(clickhouse: ClickHouseClient) -> None:
    _, rows = exported(clickhouse, "1.2", "day")
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["SkuMeter"]] += Decimal(row["ConsumedQuantity"] or 0)  # type: ignore[assignment]
    priced = [event for event in EVENTS if event.cost_parts]
    cached = sum(Decimal(e.usage.get("cache_read_tokens", 0)) for e in EVENTS)
    assert sums["cache_read_tokens"] == cached
    assert sums["input_tokens"] == sum(Decimal(e.usage["input_tokens"]) for e in priced) - cached
    assert sums["tool_calls"] == 2
    assert {row["ConsumedUnit"] for row in rows if row["SkuMeter"].endswith("tokens")} == {"Tokens"}


def test_the_charged_amount_of_a_meter_is_its_cost_and_its_part_of_the_markup(
    clickhouse: ClickHouseClient,
) -> None:
    _, rows = exported(clickhouse, "1.4")
    resold = [row for row in rows if row["SkuId"] == "gpt-5-resold"]
    assert sum(Decimal(row["BilledCost"]) for row in resold) == 3
    assert sum(Decimal(row["x_ChargedCost"]) for row in resold) == Decimal("3.100000000004")
    for row in resold:
        assert 0 <= Decimal(row["x_ChargedCost"]) - Decimal(row["BilledCost"]) < Decimal("0.034")


def test_what_is_unpriced_is_there_and_marked(clickhouse: ClickHouseClient) -> None:
    _, rows = exported(clickhouse, "1.2")
    unpriced = [row for row in rows if row["x_PriceStatus"] == "unpriced"]
    events = sum(int(row["x_UnpricedEvents"]) for row in unpriced if row["SkuMeter"] != "input_tokens")
    assert events == sum(event.price_status == "unpriced" for event in EVENTS)
    assert all("not wholly priced" in row["ChargeDescription"] for row in unpriced)


def test_awkward_tags_survive(clickhouse: ClickHouseClient) -> None:
    _, rows = exported(clickhouse, "1.2")
    (row,) = [row for row in rows if row["BilledCost"] == "7.000000000001"]
    assert row["Tags"] == '{"a\\"b,c":"d\\ne","team":"ü"}'
    assert (row["x_PriceStatus"], row["ContractedUnitPrice"]) == ("reported", "7.000000000001")


def test_what_was_billed_less_than_its_parts_is_a_negative_adjustment(clickhouse: ClickHouseClient) -> None:
    _, rows = exported(clickhouse, "1.4")
    (row,) = [row for row in rows if row["ChargeCategory"] == "Adjustment"]
    assert (row["SkuId"], row["BilledCost"]) == ("gpt-5-nano", "-0.25")
    assert row["SkuPriceId"] == row["PricingQuantity"] == row["ContractedUnitPrice"] == ""


def test_a_unit_price_is_that_of_one_token(clickhouse: ClickHouseClient) -> None:
    _, rows = exported(clickhouse, "1.2")
    (read,) = [row for row in rows if row["SkuMeter"] == "cache_read_tokens" and row["SkuId"] == "gpt-5"]
    assert Decimal(read["ContractedUnitPrice"]) == Decimal("0.5") / 400


SPLITS = (
    Split(
        id="unassigned", match=Match(team=("",), sku=("gpt-5*",)), method="proportional", by="team",
    ),
    Split(
        id="nano", match=Match(sku=("gpt-5-nano",)), method="fixed",
        shares=(Share(sets={"team": "growth"}, weight=Decimal(3)), Share(sets={"team": "ops"}, weight=Decimal(1))),
    ),
)  # fmt: skip


@pytest.mark.parametrize("version", ["1.3", "1.4"])
def test_shared_costs_are_cut_up_as_the_report_says_and_add_up(
    clickhouse: ClickHouseClient, version: Version
) -> None:
    by = ("business_unit", "team")
    names = (*by, "sku")
    cells = CostReader(clickhouse).cells(CostQuery(SPAN, ZoneInfo("UTC"), names, {}, (TENANT,)))
    found = allocate(cells, names, 2, SPLITS)
    head, rows = exported(clickhouse, version, "hour", sharing(SPLITS, found, by))
    assert list(validate(head, rows, version)) == []
    assert sum(Decimal(row["BilledCost"]) for row in rows) == sum(Decimal(e.cost or 0) for e in EVENTS)
    plain = exported(clickhouse, version)[1]
    assert sum(Decimal(row["x_ChargedCost"]) for row in rows) == CHARGED
    for name in ("ConsumedQuantity", "x_Events", "ListCost"):
        assert sum(Decimal(row[name] or 0) for row in rows) == sum(Decimal(row[name] or 0) for row in plain)
    for split, pool in found.pools.items():
        parts = [row for row in rows if row["AllocatedMethodId"] == split]
        assert to_pico(str(sum(Decimal(row["BilledCost"]) for row in parts))) == pool.cost
        for part in (part for part in found.received if part.split == split):
            named = "/".join(key or "(unassigned)" for key in part.keys)
            theirs = sum(Decimal(r["BilledCost"]) for r in parts if r["AllocatedResourceId"] == named)
            # Each row is rounded by itself: within a pico-USD a row.
            assert abs(to_pico(str(theirs)) - part.cost) <= len(parts)
            charged = sum(Decimal(r["x_ChargedCost"]) for r in parts if r["AllocatedResourceId"] == named)
            assert abs(to_pico(str(charged)) - part.beside) <= len(parts)
    nano = [row for row in rows if row["AllocatedMethodId"] == "nano"]
    assert {json.loads(row["AllocatedTags"])["outlay/team"] for row in nano} == {"growth", "ops"}
    typed = tables(
        clickhouse, Wanted(SPAN, version, "hour", (TENANT,), text=False, sharing=sharing(SPLITS, found, by))
    )
    assert sum(sum(table.column("BilledCost").to_pylist()) for table in typed) == sum(
        Decimal(row["BilledCost"]) for row in rows
    )


def test_a_match_of_a_split_is_never_sql(clickhouse: ClickHouseClient) -> None:
    odd = (
        Split(
            id="x'", match=Match(team=("a'b\\", "*'--*")), method="even", shares=(Share(sets={"team": "t"}),)
        ),
    )
    found = allocate([], ("team",), 1, odd)
    assert len(exported(clickhouse, "1.3", "day", sharing(odd, found, ("team",)))[1]) > 0


def test_a_span_is_cut_into_pieces_of_bounded_rows_without_a_gap() -> None:
    cut = pieces(SPAN, "hour")
    found = [next(cut)]
    with contextlib.suppress(StopIteration):
        while True:
            found.append(cut.send(100 if len(found) < 3 else 500_000))
    assert found[0] == TimeRange(SPAN.start, SPAN.start.replace(hour=23, minute=0))
    assert [later.start for later in found[1:]] == [earlier.end for earlier in found[:-1]]
    assert found[-1].end == SPAN.end
    assert max(piece.length for piece in found) == timedelta(hours=16)
    assert found[-2].length == timedelta(hours=1)


def test_parquet_has_the_same_rows_typed(clickhouse: ClickHouseClient, tmp_path: Path) -> None:
    file = tmp_path / "focus.parquet"
    wanted = Wanted(SPAN, "1.3", "hour", (TENANT,), text=False)
    count = write_parquet(tables(clickhouse, wanted), file, wanted)
    table = pq.read_table(file)
    _, rows = exported(clickhouse, "1.3")
    assert table.num_rows == count == len(rows)
    costs = table.column("BilledCost").to_pylist()
    assert sum(costs) == sum(Decimal(row["BilledCost"]) for row in rows)
    assert str(table.schema.field("ChargePeriodStart").type) == "timestamp[ms, tz=UTC]"
    first = table.column("ChargePeriodStart").to_pylist()[0]
    assert f"{first:%Y-%m-%dT%H:%M:%SZ}" == rows[0]["ChargePeriodStart"]
