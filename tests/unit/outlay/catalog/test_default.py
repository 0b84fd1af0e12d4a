"""The catalog that comes with Outlay: it prices what people use first, and says where each figure comes from."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from outlay.catalog import load_default
from outlay.catalog.publish import same_content
from outlay_pricer.domain import CompiledCatalog, price
from outlay_schemas.catalog import Catalog, decode_catalog, encode_catalog
from outlay_schemas.catalog.freshness import stale
from outlay_schemas.events import Kind, UsageEvent

DOCS = Path(__file__).parents[4] / "docs" / "prices.md"
AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
REGION = {"region": "us-east-1", "lease": "on-demand"}


@pytest.fixture(scope="module")
def content() -> Catalog:
    return load_default()


@pytest.fixture(scope="module")
def catalog(content: Catalog) -> CompiledCatalog:
    return CompiledCatalog(content)


def _event(
    kind: Kind, sku: str, usage: dict[str, int | Decimal], at: datetime = AT, **said: str
) -> UsageEvent:
    attributes = REGION | said
    return UsageEvent(
        id="1", source="t", time=at, kind=kind, sku=sku, provider="aws", usage=usage, attributes=attributes
    )


def test_a_published_catalog_is_read_back_the_same(content: Catalog) -> None:
    again = decode_catalog(encode_catalog(content))
    assert again == content
    assert encode_catalog(again) == encode_catalog(content)
    assert same_content(content, again.model_copy(update={"revision": 7, "created_at": AT, "note": "later"}))
    assert not same_content(content, again.model_copy(update={"price_books": ()}))


def test_every_figure_names_its_source_and_its_day(content: Catalog) -> None:
    for book in content.price_books:
        assert ("bserved spot prices" if book.name.endswith("-spot") else "rices of ") in book.note, book.name
        for rule in book.rules:
            for dated in rule.prices:
                assert (dated.source or book.source).startswith("https://"), (book.name, rule.id)
                checked = dated.checked or book.checked
                assert checked, (book.name, rule.id)
                assert checked < AT, (book.name, rule.id)


def test_no_shipped_price_is_older_than_its_book_allows_and_each_grows_old_in_time(content: Catalog) -> None:
    shipped = content.model_copy(update={"rates": None})
    assert stale(shipped, AT) == []
    late = stale(shipped, AT + timedelta(days=3 * 365))
    assert {item.name for item in late} == {f"price book {book.name}" for book in content.price_books}


def test_an_observed_spot_price_is_an_estimate_that_names_the_day(
    content: Catalog, catalog: CompiledCatalog
) -> None:
    spot = [book for book in content.price_books if book.name.endswith("-spot")]
    assert {book.name for book in spot} == {"aws-spot", "azure-spot", "gcp-spot"}
    for book in spot:
        checked = book.checked
        assert checked is not None
        for rule in book.rules:
            assert rule.assumes["price_date"] == (f"{checked:%Y-%m-%d}",), rule.id
    used: dict[str, int | Decimal] = {"compute_seconds": 3600}
    cost = price(_event("compute", "p5.48xlarge", used, AT, lease="spot", region="us-east-1"), catalog)
    assert (cost.price_status, cost.cost) == ("estimated", "14.246")
    for book in content.price_books:
        if book not in spot and book.max_age_days > 365:
            assert any(kind in book.name for kind in ("storage", "transfer", "reserved", "training")), (
                book.name
            )


def test_the_documentation_lists_every_book_and_how_many_prices_it_has(content: Catalog) -> None:
    rows = [line.split("|") for line in DOCS.read_text("utf-8").splitlines()]
    listed = {row[1].strip(" `"): row[3].strip() for row in rows if len(row) == 8}
    shipped = {book.name: str(len(book.rules)) for book in content.price_books}
    assert {name: prices for name, prices in listed.items() if name in shipped} == shipped


def test_a_gpu_hour_costs_its_published_price_to_the_last_digit(catalog: CompiledCatalog) -> None:
    hour = price(_event("compute", "p5.48xlarge", {"compute_seconds": 3600}), catalog)
    assert (hour.cost, hour.price_ref) == ("55.04", "aws-compute@2026.11#p5.48xlarge")
    minute = price(_event("compute", "p5.48xlarge", {"compute_seconds": 60}), catalog)
    assert minute.cost == "0.917333333333"


def test_an_old_event_keeps_its_old_price(catalog: CompiledCatalog) -> None:
    old = _event("compute", "p5.48xlarge", {"compute_seconds": 3600}, datetime(2025, 5, 31, 23, tzinfo=UTC))
    assert price(old, catalog).cost == "98.32"


@pytest.mark.parametrize("said", [{"lease": "dedicated-host"}, {"region": "eu-west-1"}])
def test_a_price_is_not_used_for_what_it_is_not_for(catalog: CompiledCatalog, said: dict[str, str]) -> None:
    cost = price(_event("compute", "p5.48xlarge", {"compute_seconds": 60}, AT, **said), catalog)
    assert (cost.price_status, cost.cost) == ("unpriced", None)


@pytest.mark.parametrize(
    ("sku", "said", "hour", "ref"),
    [
        ("p5.48xlarge", {"lease": "spot"}, "14.246", "aws-spot@2026.11.30#p5.48xlarge~price_date"),
        ("m6a.xlarge", {}, "0.1728", "aws-compute@2026.11#m6a.xlarge"),
        ("m6a.xlarge", {"lease": "reserved-1y"}, "0.11431", "aws-reserved@2026.11#m6a.xlarge-1y~payment"),
        (
            "m6a.xlarge",
            {"lease": "reserved-3y", "payment": "no-upfront"},
            "0.07838",
            "aws-reserved@2026.11#m6a.xlarge-3y",
        ),
    ],
)
def test_a_lease_has_its_own_price(
    catalog: CompiledCatalog, sku: str, said: dict[str, str], hour: str, ref: str
) -> None:
    cost = price(_event("compute", sku, {"compute_seconds": 3600}, AT, **said), catalog)
    assert (cost.cost, cost.price_ref) == (hour, ref)


def test_a_commitment_by_the_month_is_spread_over_its_seconds(catalog: CompiledCatalog) -> None:
    month = UsageEvent(
        id="1",
        source="t",
        time=AT,
        kind="compute",
        sku="a3-highgpu-8g",
        provider="gcp",
        usage={"compute_seconds": 730 * 3600},
        attributes={"region": "us-central1", "lease": "reserved-3y"},
    )
    assert price(month, catalog).cost == "28370.99821392"


def test_storage_is_priced_by_the_hour_or_the_month(catalog: CompiledCatalog) -> None:
    hours = price(_event("storage", "ebs-gp3", {"gb_hours": 7300}), catalog)
    months = price(_event("storage", "ebs-gp3", {"gb_months": 10}), catalog)
    both = price(_event("storage", "ebs-gp3", {"gb_months": 10, "gb_hours": 7300}), catalog)
    assert hours.cost == months.cost == both.cost == "0.8"


def test_egress_is_tiered_by_what_was_sent_before(catalog: CompiledCatalog) -> None:
    first = price(_event("transfer", "internet-egress", {"gb": Decimal(100)}), catalog)
    assert (first.cost, first.price_ref) == ("9", "aws-transfer@2026.11#internet-egress~position")
    across = _event("transfer", "internet-egress", {"gb": Decimal(100)}, month_position_gb="10190")
    assert price(across, catalog).cost == str(Decimal("0.09") * 50 + Decimal("0.085") * 50).rstrip("0")
    assert price(_event("transfer", "internet-ingress", {"gb": 5}), catalog).price_status == "free"
