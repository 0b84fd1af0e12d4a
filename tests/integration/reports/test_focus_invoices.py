"""Charges of a closed month name their statement, and exports with every kind of row are valid FOCUS."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.focus_rules import validate
from tests.support.focus_validator import failures
from tests.support.ledger import cost_event, write
from tests.support.stack import Stack

from outlay.focus.allocation import sharing
from outlay.focus.columns import Version
from outlay.focus.write import Wanted, tables, write_csv
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.closed_periods import ClosedPeriods
from outlay_reports.allocation import Allocated, Allocation
from outlay_reports.chargeback import OWN, Closing, Line
from outlay_reports.errors import QueryError
from outlay_schemas.catalog import Match, Split
from outlay_schemas.catalog.terms import FxRate
from outlay_schemas.currency import Currency
from outlay_schemas.events import CostEvent
from outlay_schemas.money import Usd

pytestmark = pytest.mark.stack

TENANT = "focus-closed"
OPEN = TimeRange(datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC))
EUR = Currency("EUR", [FxRate.model_validate({"currency": "EUR", "usd": "1.17"})])
SPAN = TimeRange(datetime(2026, 9, 30, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC))
FIRST, SECOND = datetime(2026, 11, 2, 9, tzinfo=UTC), datetime(2026, 11, 5, 9, tzinfo=UTC)
LINES = (Line("consumer", OWN, ("growth",), 1),)


def accepted(
    number: int, day: int, at: datetime, cost: str, *, month: int = 10, unit: str = "consumer"
) -> CostEvent:
    event = cost_event(TENANT, number, datetime(2026, month, day, 12, tzinfo=UTC), cost, unit=unit)
    event.accepted_ms = int(at.timestamp() * 1000)
    event.usage["input_tokens"] = Decimal("10.5")  # the validator takes whole numbers for no decimals
    return event


EVENTS = [
    accepted(1, 30, FIRST - timedelta(days=30), "1", month=9),  # a month that is not closed
    accepted(2, 3, FIRST - timedelta(days=20), "2.25"),
    accepted(3, 4, FIRST - timedelta(days=19), "4.25", unit=""),
    accepted(4, 5, FIRST + timedelta(days=1), "8.25"),  # late: on the second closing
    accepted(5, 6, SECOND + timedelta(days=1), "16.25"),  # later still: on none yet
    accepted(6, 1, FIRST, "32", month=11),
]  # fmt: skip


def special(number: int, cost: str | None, **more: object) -> CostEvent:
    event = cost_event(TENANT, number, datetime(2026, 11, 2, 12, tzinfo=UTC), cost)
    for name, value in more.items():
        setattr(event, name, value)
    return event


def parts(**meters: str) -> dict[str, Usd]:
    return {meter: Usd(cost) for meter, cost in meters.items()}


EVERY_KIND = [
    special(20, "1.5", price_status="reported", reported_cost=Usd("1.5"),
            cost_parts=parts(input_tokens="1", output_tokens="0.75")),  # a credit on the parts
    special(21, None, unpriced_meters=["input_tokens"]),
    special(22, "0.2", price_status="estimated", price_ref="book@1#rule~fine_tuned",
            usage={"output_tokens": 7}, cost_parts=parts(output_tokens="0.2")),
    special(23, "0", price_status="free", cost_parts=parts(input_tokens="0")),
    special(24, "2", list_cost=Usd("2.5"), price_ref="book@1#rule+negotiated"),
    special(25, "0.107", price_ref="cloud@1#vm+fx-EUR", kind="compute", provider="ovh", sku="b3-8",
            usage={"compute_seconds": Decimal("3599.5")}, cost_parts=parts(compute_seconds="0.107")),
    special(26, "0.023", kind="storage", activity="storage", provider="aws", sku="s3-standard",
            usage={"gb_hours": 730}, cost_parts=parts(gb_hours="0.023")),
    special(27, "0.36", kind="compute", provider="own", sku="Tesla T4", usage={"gpu_seconds": 3600},
            cost_parts=parts(gpu_seconds="0.36"), attributes={"allocation": "idle", "region": "eu-1"}),
    special(28, "0.09", kind="transfer", provider="aws", sku="internet-egress", usage={"gb": 1},
            cost_parts=parts(gb="0.09")),
    special(29, "3", kind="custom", provider="", sku="geocoding", usage={"calls": 2000}, project="",
            cost_parts=parts(calls="3"), attributes={"service_tier": "batch"}, tags={"a": "1"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def clickhouse(ledger_stack: Stack) -> Iterator[ClickHouseClient]:
    write(ledger_stack.writer, [*EVENTS, *EVERY_KIND])
    writer = ClickHouseClient(ledger_stack.writer)
    for seq, at in ((1, FIRST), (2, SECOND)):
        ClosedPeriods(writer, TENANT).add(
            "2026-10", "UTC", "business_unit", Closing(seq, at, "ada", "", LINES)
        )
    writer.close()
    reader = ClickHouseClient(ledger_stack.reader)
    yield reader
    reader.close()


def exported(
    clickhouse: ClickHouseClient, version: Version, grain: str = "day", span: TimeRange = SPAN, **more: object
) -> tuple[str, list[dict[str, str]]]:
    page = io.BytesIO()
    wanted = Wanted(span, version, grain, (TENANT,), **more)  # type: ignore[arg-type]
    write_csv(tables(clickhouse, wanted), page, wanted)
    text = page.getvalue().decode()
    return text, list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("grain", ["hour", "day"])
def test_a_charge_names_its_statement_once_its_month_is_closed(
    clickhouse: ClickHouseClient, grain: str
) -> None:
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for row in exported(clickhouse, "1.2", grain)[1]:
        found[row["InvoiceId"], row["ChargeClass"]] += Decimal(row["BilledCost"])
    open_month = 1 + 32 + sum(Decimal(event.cost or 0) for event in EVERY_KIND)
    assert found == {
        (f"{TENANT}/2026-10/UTC/1", ""): Decimal("6.5"),
        (f"{TENANT}/2026-10/UTC/2", ""): Decimal("8.25"),
        ("", "Correction"): Decimal("16.25"),
        ("", ""): open_month,
    }


def test_1_4_has_the_part_of_the_unit_that_pays(clickhouse: ClickHouseClient) -> None:
    rows = exported(clickhouse, "1.4")[1]
    found = {row["BilledCost"]: row["InvoiceDetailId"] for row in rows if row["InvoiceId"]}
    first = f"{TENANT}/2026-10/UTC/1"
    assert found == {
        "2.25": f"{first}/consumer", "4.25": f"{first}/(unassigned)", "8.25": f"{TENANT}/2026-10/UTC/2/consumer",
    }  # fmt: skip
    assert "InvoiceDetailId" not in exported(clickhouse, "1.3")[1][0]


def test_a_shared_cost_is_on_the_statement_of_who_bears_it(clickhouse: ClickHouseClient) -> None:
    split = Split(id="pool", match=Match(business_unit=("",)), method="proportional", by="team")
    borne = tuple(Allocated("pool", (unit, "t"), cost, cost) for unit, cost in (("core", 3), ("lab", 1)))
    parts = sharing([split], Allocation((), borne, {}), ("business_unit", "team"))
    rows = exported(clickhouse, "1.4", sharing=parts)[1]
    first = f"{TENANT}/2026-10/UTC/1"
    assert {row["InvoiceDetailId"]: row["BilledCost"] for row in rows if row["InvoiceId"] == first} == {
        f"{first}/consumer": "2.25", f"{first}/core": "3.1875", f"{first}/lab": "1.0625",
    }  # fmt: skip


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
@pytest.mark.parametrize("grain", ["hour", "day"])
def test_every_kind_of_row_is_valid(clickhouse: ClickHouseClient, version: Version, grain: str) -> None:
    text, rows = exported(clickhouse, version, grain)
    head = text.splitlines()[0].split(",")
    assert list(validate(head, rows, version)) == []
    assert {row["x_PriceStatus"] for row in rows} == {"priced", "estimated", "reported", "free", "unpriced"}
    assert {row["ServiceCategory"] for row in rows} == {
        "AI and Machine Learning", "Compute", "Storage", "Networking", "Other",
    }  # fmt: skip
    assert {row["ChargeCategory"] for row in rows} == {"Usage", "Adjustment"}
    whole = sum(Decimal(event.cost or 0) for event in (*EVENTS, *EVERY_KIND))
    assert sum(Decimal(row["BilledCost"]) for row in rows) == whole


def test_a_closed_month_is_exported_in_usd_alone(clickhouse: ClickHouseClient) -> None:
    """Its rows name a statement, which is in USD and does not change."""
    with pytest.raises(QueryError, match="2026-10 was closed in USD") as refused:
        tables(clickhouse, Wanted(SPAN, "1.2", "day", (TENANT,), currency=EUR))
    assert "--currency USD" in refused.value.hint


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
@pytest.mark.parametrize("grain", ["hour", "day"])
def test_every_kind_of_row_is_valid_in_another_currency(
    clickhouse: ClickHouseClient, version: Version, grain: str
) -> None:
    text, rows = exported(clickhouse, version, grain, OPEN, currency=EUR)
    assert list(validate(text.splitlines()[0].split(","), rows, version)) == []
    assert {row["ChargeCategory"] for row in rows} == {"Usage", "Adjustment"}
    usd = 32 + sum(Decimal(event.cost or 0) for event in EVERY_KIND)
    assert sum(Decimal(row["PricingCurrencyEffectiveCost"]) for row in rows) == usd
    assert abs(sum(Decimal(row["BilledCost"]) for row in rows) - usd / Decimal("1.17")) < Decimal("1e-10")


@pytest.mark.parametrize("what", ["open", "closed", "euro"])
def test_the_foundations_own_validator_finds_nothing(
    clickhouse: ClickHouseClient, tmp_path: Path, what: str
) -> None:
    if what == "euro":
        rows = exported(clickhouse, "1.2", "hour", OPEN, currency=EUR)[1]
    else:
        # Its rules want InvoiceId to be null in all rows, or in none: of an open month, or of a closed one.
        rows = [
            r for r in exported(clickhouse, "1.2", "hour")[1] if bool(r["InvoiceId"]) == (what == "closed")
        ]
    file = tmp_path / f"{what}.csv"
    with file.open("w", newline="") as out:
        page = csv.DictWriter(out, list(rows[0]))
        page.writeheader()
        page.writerows(rows)
    assert failures(file) == []
