"""An export in another currency adds up to the report in that currency, and keeps the exact USD."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from tests.support.focus_rules import validate
from tests.support.ledger import cost_event, random_events, write
from tests.support.stack import Stack

from outlay.focus.allocation import sharing
from outlay.focus.columns import Version
from outlay.focus.write import Wanted, tables, write_csv
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.allocation import allocate
from outlay_reports.cost_query import CostQuery
from outlay_schemas.catalog import Match, Split
from outlay_schemas.catalog.terms import FxRate
from outlay_schemas.currency import USD, Currency, NoRateError
from outlay_schemas.events import CostEvent
from outlay_schemas.money import Usd, to_pico

pytestmark = pytest.mark.stack

TENANT, GIFT = "focus-currency", "focus-currency-gift"
SPAN = TimeRange(datetime(2026, 9, 29, 22, 30, tzinfo=UTC), datetime(2026, 10, 2, 4, 0, tzinfo=UTC))
NOON, HALF_PAST = datetime(2026, 9, 30, 12, tzinfo=UTC), datetime(2026, 10, 1, 3, 30, tzinfo=UTC)


def rates(*changes: tuple[datetime | None, datetime | None, str]) -> Currency:
    dated = ({"currency": "XTS", "usd": usd, "from": low, "to": high} for low, high, usd in changes)
    return Currency("XTS", [FxRate.model_validate(one) for one in dated])


XTS = rates((None, NOON, "1.1"), (NOON, HALF_PAST, "1.3"), (HALF_PAST, None, "0.0063"))
"""One rate ends at noon, within a day, and one within an hour."""


def special() -> list[CostEvent]:
    """Return what is billed less than its parts, has a list price of its own, or costs nothing but had a price."""
    at = HALF_PAST - timedelta(minutes=10)
    reported = cost_event(TENANT, 10_001, at, "1.5", sku="gpt-5-nano")
    reported.price_status = "reported"
    reported.cost_parts = {"input_tokens": Usd("1"), "output_tokens": Usd("0.75")}
    agreed = cost_event(TENANT, 10_002, at + timedelta(minutes=20), "2", charged="2.5")
    agreed.list_cost = Usd("5")
    return [reported, agreed]


EVENTS = [*random_events(TENANT, SPAN, 400, seed=5), *special()]


def gift() -> CostEvent:
    """Return an event that costs nothing, of a model that has a list price."""
    given = cost_event(GIFT, 1, NOON - timedelta(hours=1), "0")
    given.list_cost = Usd("5")
    return given


@pytest.fixture(scope="module")
def clickhouse(ledger_stack: Stack) -> Iterator[ClickHouseClient]:
    write(ledger_stack.writer, [*EVENTS, gift()])
    reader = ClickHouseClient(ledger_stack.reader)
    yield reader
    reader.close()


def exported(clickhouse: ClickHouseClient, wanted: Wanted) -> list[dict[str, str]]:
    page = io.BytesIO()
    write_csv(tables(clickhouse, wanted), page, wanted)
    reader = csv.DictReader(io.StringIO(page.getvalue().decode(), newline=""))
    rows = list(reader)
    assert list(validate(reader.fieldnames or [], rows, wanted.version)) == []
    return rows


def converted(event: CostEvent, usd: Usd | None) -> Fraction:
    worth = XTS.usd(event.time)
    assert worth is not None
    return Fraction(usd or 0) / worth


AMOUNTS: dict[str, Callable[[CostEvent], Usd | None]] = {
    "BilledCost": lambda event: event.cost,
    "ContractedCost": lambda event: event.cost,
    "EffectiveCost": lambda event: event.cost,
    "ListCost": lambda event: event.cost if event.list_cost is None else event.list_cost,
    "x_ChargedCost": lambda event: event.cost if event.charged is None else event.charged,
}
HALF_PICO = Fraction(1, 2 * 10**12)


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
@pytest.mark.parametrize(("grain", "hours"), [("hour", 1), ("day", 24)])
def test_each_charge_is_converted_at_the_rate_of_its_own_time(
    clickhouse: ClickHouseClient, version: Version, grain: str, hours: int
) -> None:
    rows = exported(clickhouse, Wanted(SPAN, version, grain, (TENANT,), currency=XTS))
    assert {(row["BillingCurrency"], row["PricingCurrency"]) for row in rows} == {("XTS", "USD")}
    for name, usd in AMOUNTS.items():
        exact: dict[str, Fraction] = defaultdict(Fraction)
        for event in EVENTS:
            at = event.time.replace(minute=0, second=0, microsecond=0)
            at = at.replace(hour=at.hour // hours * hours)
            exact[f"{at:%Y-%m-%dT%H:%M:%SZ}"] += converted(event, usd(event))
        for period, right in exact.items():
            shown = [Fraction(row[name]) for row in rows if row["ChargePeriodStart"] == period]
            assert abs(sum(shown) - right) <= HALF_PICO * len(shown), (
                name,
                period,
            )  # each row is rounded once
        assert {row["ChargePeriodStart"] for row in rows} == set(exact)


@pytest.mark.parametrize("grain", ["hour", "day"])
def test_it_adds_up_to_the_reports_in_both_currencies(clickhouse: ClickHouseClient, grain: str) -> None:
    rows = exported(clickhouse, Wanted(SPAN, "1.4", grain, (TENANT,), currency=XTS))
    asked = CostQuery(SPAN, ZoneInfo("UTC"), (), {}, (TENANT,), currency=XTS)
    charged = CostQuery(SPAN, ZoneInfo("UTC"), (), {}, (TENANT,), amount="charged", currency=XTS)
    in_usd = CostQuery(SPAN, ZoneInfo("UTC"), (), {}, (TENANT,))
    reader = CostReader(clickhouse)
    for name, query in (("BilledCost", asked), ("x_ChargedCost", charged)):
        (whole,) = reader.totals([query])
        assert abs(sum(to_pico(row[name]) for row in rows) - Fraction(whole.cost)) <= len(rows)
        assert whole.cost > 0
    (whole,) = reader.totals([in_usd])
    assert sum(to_pico(row["PricingCurrencyEffectiveCost"]) for row in rows) == whole.cost


@pytest.mark.parametrize("version", ["1.2", "1.3", "1.4"])
def test_but_for_the_currency_the_rows_are_those_in_usd(
    clickhouse: ClickHouseClient, version: Version
) -> None:
    wanted = Wanted(SPAN, version, "hour", (TENANT,), currency=XTS)
    plain = exported(clickhouse, Wanted(SPAN, version, "hour", (TENANT,)))
    other = {*AMOUNTS, "BillingCurrency", "ContractedUnitPrice", "ListUnitPrice"}
    for row, usd in zip(exported(clickhouse, wanted), plain, strict=True):
        assert {name: row[name] for name in usd.keys() - other} == {
            name: usd[name] for name in usd.keys() - other
        }
        assert row["PricingCurrencyEffectiveCost"] == usd["EffectiveCost"]
        for name in ("ContractedUnitPrice", "ListUnitPrice"):
            assert row[f"PricingCurrency{name}"] == usd[name]
        assert row.keys() - usd.keys() == {
            "PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost",
            "PricingCurrencyListUnitPrice",
        }  # fmt: skip
    assert {row["BillingCurrency"] for row in plain} == {"USD"}


def test_typed_rows_are_the_same(clickhouse: ClickHouseClient) -> None:
    rows = exported(clickhouse, Wanted(SPAN, "1.2", "hour", (TENANT,), currency=XTS))
    typed = tables(clickhouse, Wanted(SPAN, "1.2", "hour", (TENANT,), text=False, currency=XTS))
    found = [row for table in typed for row in table.to_pylist()]
    for name in (
        "BilledCost",
        "ListUnitPrice",
        "PricingCurrencyEffectiveCost",
        "PricingCurrencyListUnitPrice",
    ):
        assert [row[name] for row in found] == [Decimal(row[name]) if row[name] else None for row in rows]


def test_a_shared_cost_is_cut_up_as_in_the_report_in_that_currency(clickhouse: ClickHouseClient) -> None:
    splits = (
        Split(id="unassigned", match=Match(team=("",), sku=("gpt-5*",)), method="proportional", by="team"),
    )
    by = ("business_unit", "team")
    names = (*by, "sku")
    cells = CostReader(clickhouse).cells(CostQuery(SPAN, ZoneInfo("UTC"), names, {}, (TENANT,), currency=XTS))
    found = allocate(cells, names, 2, splits)
    parts = sharing(splits, found, by)
    rows = exported(clickhouse, Wanted(SPAN, "1.4", "hour", (TENANT,), sharing=parts, currency=XTS))
    plain = exported(clickhouse, Wanted(SPAN, "1.4", "hour", (TENANT,), currency=XTS))
    for name in ("BilledCost", "ListCost", "PricingCurrencyEffectiveCost", "x_ChargedCost"):
        assert sum(Decimal(row[name]) for row in rows) == sum(Decimal(row[name]) for row in plain), name
    shared = [row for row in rows if row["AllocatedMethodId"]]
    for part in found.received:
        named = "/".join(key or "(unassigned)" for key in part.keys)
        theirs = sum(to_pico(row["BilledCost"]) for row in shared if row["AllocatedResourceId"] == named)
        assert abs(theirs - part.cost) <= 2 * len(shared)  # rounded as a row, and as its part
        assert theirs > 0


@pytest.mark.parametrize("tenant", [TENANT, GIFT])
def test_a_charge_without_a_rate_is_refused_before_anything_is_written(
    clickhouse: ClickHouseClient, tenant: str
) -> None:
    """Also one that is only a list price."""
    late = rates((NOON, None, "1.1"))
    when = "no exchange rate for XTS from 2026-09-29 22:30 to 2026-09-30 12:00"
    with pytest.raises(NoRateError, match=when):
        tables(clickhouse, Wanted(SPAN, "1.2", "hour", (tenant,), currency=late))
    tables(clickhouse, Wanted(SPAN, "1.2", "hour", (tenant,), currency=USD))


def test_a_time_without_charges_needs_no_rate(clickhouse: ClickHouseClient) -> None:
    late = rates((SPAN.start, None, "1.1"))
    span = TimeRange(SPAN.start - timedelta(days=9), SPAN.end)
    rows = exported(clickhouse, Wanted(span, "1.2", "day", (TENANT,), currency=late))
    whole = sum((Fraction(event.cost or 0) / Fraction("1.1") for event in EVENTS), Fraction(0))
    assert abs(sum((Fraction(row["BilledCost"]) for row in rows), Fraction(0)) - whole) <= HALF_PICO * len(
        rows
    )
