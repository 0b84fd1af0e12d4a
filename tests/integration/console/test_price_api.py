"""Prices in the read API are those of the pages, as far as they concern the key's tenant."""

import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from html import unescape
from typing import Any

import pytest
from tests.support.catalogs import book, catalog, rates, rule
from tests.support.console_rig import NOW, SECRET, Rig

from outlay.setup.price_list import CatalogPrices
from outlay_reports.money import usd

pytestmark = pytest.mark.stack

MODEL = {"provider": "openai", "sku": "gpt-5-mini"}


async def ask(
    rig: Rig, path: str, params: Mapping[str, str], *, tenant: str = "acme", code: int = 200
) -> dict[str, Any]:
    async with rig.client() as client:
        headers = {"authorization": f"Bearer {rig.keys[tenant]}"}
        answer = await client.get(f"/api/v1/{path}", params=dict(params), headers=headers)
    assert answer.status_code == code, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def shown(rig: Rig, path: str, **params: str) -> str:
    """Return the text of a page, with one blank between words and no tags."""
    answer = await (await rig.logged_in()).get(path, params=params)
    assert answer.status_code == 200
    return text_of(answer.text)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def chips(sets: list[dict[str, Any]]) -> list[str]:
    """Return each price as a page writes it."""
    return [f"{one['label']} {one['text'].partition(' ')[0]}" for each in sets for one in each["prices"]]


async def test_a_model_has_the_prices_the_spend_and_the_alternatives_of_its_page(rig: Rig) -> None:
    found = await ask(rig, "prices/model", MODEL)
    page = await shown(rig, "/prices/model", **MODEL, tz="UTC")
    now, rest = page.split("Spent in 30 days", 1)
    assert len(chips(found["prices"])) >= 3
    for price in chips(found["prices"]):
        assert price in now
    shown_prices = re.findall(r"[A-Z][a-z ]+ \$[\d.,]+", now.partition("Prices now")[2])
    assert len(shown_prices) == len(chips(found["prices"])), shown_prices
    for one in found["prices"]:
        assert f"{one['book']} {one['version']}" in now
    spent = found["spent"]
    assert Decimal(spent["cost_usd"]) == rig.spent(NOW.replace(year=2025), NOW, **MODEL)
    assert spent["unpriced_events"] > 0
    assert f"{usd(Decimal(spent['cost_usd']))} {spent['events']:,} events" in rest
    assert found["what_if"]
    for case in found["what_if"]:
        assert f"{case['provider']}/{case['sku']} {usd(Decimal(case['after_usd']))}" in rest
        assert f"instead of {usd(Decimal(case['before_usd']))}" in rest
    history = rest.partition("History of prices")[2]
    assert re.findall(r"revision (\d+)", history.partition("By catalog revision")[2]) == [
        str(one["revision"]) for one in found["by_revision"]
    ]
    assert re.findall(r"from (\d{4}-\d\d-\d\d)", history) == [
        one["from"][:10] for one in found["by_date"] if "from" in one
    ]


async def test_a_comparison_is_that_of_the_page(rig: Rig) -> None:
    other = {"as": "anthropic/claude-haiku-4-5"}
    case = (await ask(rig, "prices/model", {**MODEL, **other}))["what_if"][0]
    assert (case["provider"], case["sku"]) == ("anthropic", "claude-haiku-4-5")
    page = await shown(rig, "/prices/model", **MODEL, **other)
    assert f"anthropic/claude-haiku-4-5 {usd(Decimal(case['after_usd']))}" in page
    assert case["events"] + case["left_out_events"] == sum(one.sku == "gpt-5-mini" for one in rig.events)


async def test_a_search_finds_what_the_page_finds_page_by_page(rig: Rig) -> None:
    found = await ask(rig, "prices", {"q": "claude"})
    page = await (await rig.logged_in()).get("/prices", params={"q": "claude"})
    listed = [text_of(one) for one in re.findall(r'<li><a href="/prices/model\?[^>]*>(.*?)</a>', page.text)]
    assert listed == [f"{one['provider'] or 'any provider'} {one['sku']}" for one in found["rows"]]
    assert f"{found['matches']:,} matches" in text_of(page.text)
    assert all(price in text_of(page.text) for price in chips(found["rows"]))
    pages = [await ask(rig, "prices", {"q": "claude", "limit": "7", "page": str(n)}) for n in (1, 2, 3)]
    assert [row for one in pages for row in one["rows"]][:20] == found["rows"]
    assert len(found["rows"]) == 20 < found["matches"]
    names = {name: found["rows"][0][name] for name in ("provider", "sku")}
    whole = await ask(rig, "prices/model", names)
    assert set(chips(found["rows"][:1])) <= set(chips(whole["prices"]))


async def test_a_name_without_a_price_says_why(rig: Rig) -> None:
    assert await ask(rig, "prices", {"q": "nosuchmodel"}) == {"q": "nosuchmodel", "matches": 0, "rows": []}
    found = await ask(rig, "prices/model", {"provider": "openai", "sku": "nosuchmodel"})
    assert all(not one["prices"] for one in found["prices"])
    assert found["spent"]["events"] == 0
    assert found["what_if"] == []


async def test_a_key_sees_the_spend_of_its_tenant_alone(rig: Rig) -> None:
    for tenant, cost in (("acme", "0"), ("globex", "77.5"), ("empty", "0")):
        found = await ask(rig, "prices/model", {"sku": SECRET}, tenant=tenant)
        assert found["spent"]["cost_usd"] == cost


async def test_a_price_agreed_for_a_tenant_is_shown_to_its_keys_alone(rig: Rig) -> None:
    own = {**rule({"gb": {"price": "1"}}), "where": {"tenant": "globex"}}
    content = catalog(rates(), price_books=[book(own)]).catalog
    prices = CatalogPrices(lambda: content, lambda _: content)
    agreed = replace(rig, dependencies=replace(rig.dependencies, price_list=prices))
    for tenant, matches in (("globex", 1), ("acme", 0)):
        assert (await ask(agreed, "prices", {"q": "box"}, tenant=tenant))["matches"] == matches
        found = await ask(agreed, "prices/model", {"provider": "x", "sku": "box"}, tenant=tenant)
        assert any(one["prices"] for one in found["prices"]) is bool(matches)


@pytest.mark.parametrize(
    ("path", "params", "code", "detail"),
    [
        ("prices", {}, "parameter", "q is empty"),
        ("prices", {"q": "x" * 201}, "parameter", "q is too long"),
        ("prices", {"q": "gpt", "limit": "101"}, "parameter", "from 1 to 100"),
        ("prices", {"q": "gpt", "page": "0"}, "parameter", "page"),
        ("prices", {"q": "gpt", "tenant": "globex"}, "parameter", "tenant cannot be asked"),
        ("prices/model", {"provider": "openai"}, "parameter", "sku is empty"),
        ("prices/model", {"sku": "gpt-5", "as": "claude"}, "parameter", "PROVIDER/MODEL"),
        ("prices/model", {"sku": "gpt-5", "book": "nosuch"}, "parameter", "is not a price book"),
        ("prices/model", {"sku": "gpt-5", "tz": "Mars"}, "parameter", "Mars"),
        ("prices/model", {"sku": "gpt-5", "tenant": "globex"}, "parameter", "tenant cannot be asked"),
    ],
)  # fmt: skip
async def test_what_cannot_be_answered_says_what_to_do(
    rig: Rig, path: str, params: dict[str, str], code: str, detail: str
) -> None:
    found = await ask(rig, path, params, code=400)
    assert found["code"] == code
    assert detail in found["detail"]


async def test_a_console_without_a_catalog_or_prices_says_so(rig: Rig) -> None:
    empty = replace(rig, dependencies=replace(rig.dependencies, catalog=lambda: None))
    without = replace(rig, dependencies=replace(rig.dependencies, price_list=None))
    for path, params in (("prices", {"q": "gpt"}), ("prices/model", MODEL)):
        assert (await ask(empty, path, params, code=503))["code"] == "catalog_unavailable"
        assert (await ask(without, path, params, code=404))["code"] == "not_found"
