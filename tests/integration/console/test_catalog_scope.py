"""What of the catalog is one tenant's, no page and no report shows to another: every one of them is asked."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.support.console_rig import BASE, NOW, Rig, make
from tests.support.console_routes import addresses
from tests.support.setup_rig import MemoryDesk
from tests.support.stack import Stack

from outlay.setup.price_list import CatalogPrices
from outlay.setup.routes import more
from outlay_console.adapters.catalog import CatalogHistory, read_catalog_view
from outlay_console.app import Console
from outlay_console.domain.roles import Grant
from outlay_console.pages.request import Dependencies
from outlay_console.sessions import Sessions
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyRing
from outlay_schemas.catalog import Catalog, encode_catalog
from outlay_schemas.events import encoder

pytestmark = pytest.mark.stack

DATABASE = "console_catalog_scope"
SECRET = "lynx"
"""What the name of everything that is globex' has in it."""
NOTHING = "gnux"
"""A name that nothing has."""
OWN: dict[str, Any] = {"tenant": "globex"}
GRANTS = tuple(Grant(value=f"{one} admin", tenant=one, role="admin") for one in ("acme", "globex"))


def rule(name: str, sku: str, **where: list[str]) -> dict[str, Any]:
    """Return a rule with a scheduled price change."""
    first, then = ({"meters": {"hours": {"price": price}}} for price in ("3", "4"))
    day = f"{NOW + timedelta(days=9):%Y-%m-%d}"
    return {"id": name, "sku": sku, "where": where, "prices": [first | {"to": day}, then | {"from": day}]}


def content(revision: int) -> Catalog:
    """Return a catalog with something of globex in every part."""
    theirs, version = {"tenant": ["globex"]}, str(revision)
    return Catalog.model_validate({
        "revision": revision, "created_at": NOW - timedelta(days=5 - revision), "note": f"{SECRET} pays less",
        "price_books": [
            {"name": "list", "version": version, "rules": [
                rule("all", "shared-box"), rule(f"{SECRET}-rule", f"{SECRET}-box", **theirs)]},
            {"name": f"{SECRET}-deal", "version": version, "source": f"https://example.com/{SECRET}",
             "rules": [rule("one", "shared-box", **theirs), rule("two", "gpt-5-mini", tenant=["glob*"])]},
            {"name": "for-acme", "version": version, "rules": [rule("acme", "acme-box", tenant=["ac*"])]},
        ],
        "negotiated": [{"id": f"{SECRET}-discount", "match": OWN, "discount_percent": "20"},
                       {"id": f"{SECRET}-markup", "match": OWN, "markup_percent": "3"}],
        "owners": [OWN | {"key": "user", "value": SECRET, "sets": {"team": f"{SECRET}-team"}}],
        "aliases": [OWN | {"dimension": "sku", "name": "shared-box", "aliases": [f"{SECRET}-alias"]}],
        "defaults": [{"match": OWN, "sets": {"team": SECRET}}],
        "virtual_tags": [{"id": f"{SECRET}-tag", "match": OWN, "sets": {"team": SECRET}}],
        "required_tags": [OWN | {"require": f"tags.{SECRET}"}],
        "budgets": [OWN | {"id": SECRET, "name": SECRET, "amount": "5", "scope": {"team": SECRET}},
                    {"id": "everyone", "name": "Everyone", "tenant": "*", "amount": "7"}],
        "rules": [OWN | {"type": "threshold", "id": SECRET, "name": SECRET, "metric": "cost", "above": "5"}],
        "mute_time_intervals": [OWN | {"id": SECRET, "name": SECRET, "days": ["sat"]}],
        "channels": [{"type": "slack", "id": SECRET, "url": "${env:OUTLAY_CHANNEL_" + SECRET.upper() + "}"}],
        "routes": [{"match": OWN, "channels": [SECRET]}],
        "splits": [{"id": f"{SECRET}-split", "match": OWN, "method": "even", "shares": [{"sets": {"team": SECRET}}]}],
        "fx": [{"currency": "EUR", "usd": "1.1", "from": "2026-01-01"}],
    })  # fmt: skip


MORE = (
    "/prices?q=box", f"/prices?q={SECRET}", "/prices/model?sku=shared-box",
    "/prices/model?provider=openai&sku=gpt-5-mini", f"/prices/model?provider=openai&sku=gpt-5-mini&book={SECRET}-deal",
    "/api/v1/prices?q=box", f"/api/v1/prices?q={SECRET}", "/api/v1/prices/model?sku=shared-box",
    "/api/v1/prices/model?provider=openai&sku=gpt-5-mini", f"/api/v1/prices/model?sku=gpt-5-mini&book={SECRET}-deal",
    "/api/v1/reports/showback?allocate=true", "/api/v1/reports/chargeback?month=2026-11", "/explore?currency=EUR",
    "/api/v1/reports/top", "/api/v1/reports/trend", "/api/v1/reports/compare",
    "/setup/rules", "/setup/owners", "/setup/rules/edit?type=threshold", f"/setup/budgets/edit?key={SECRET}",
    "/budgets/everyone", f"/budgets/{SECRET}",
)  # fmt: skip
SHOWN = {
    "/prices", "/prices?q=box", "/prices/model?sku=shared-box", "/prices/model?provider=openai&sku=gpt-5-mini",
    "/api/v1/prices?q=box", "/api/v1/prices/model?sku=shared-box",
    "/api/v1/prices/model?provider=openai&sku=gpt-5-mini",
    "/budgets", "/metrics/money", f"/budgets/{SECRET}", "/setup/budgets", "/setup/rules", "/setup/owners",
    "/setup/history", "/setup/history/4", "/audit",
}  # fmt: skip
"""Where globex sees its own."""


@pytest.fixture(scope="module")
def rig(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    rig = make(stack, tmp_path_factory.mktemp("catalog_scope"), DATABASE)
    clickhouse = ClickHouseClient(stack.writer.model_copy(update={"database": DATABASE}))
    for one in (content(3), content(4)):
        row = {"revision": one.revision, "created_at": one.created_at, "note": one.note,
               "body": encode_catalog(one).decode()}  # fmt: skip
        clickhouse.insert_json_lines("catalogs", encoder.encode(row))
    clickhouse.close()
    return rig


@pytest.fixture
def deps(rig: Rig) -> Dependencies:
    """A console of which globex is the operator, with that catalog."""
    known, kept = rig.dependencies, {3: content(3), 4: content(4)}
    view = read_catalog_view(encode_catalog(kept[4]))[1]
    return replace(
        known, catalog=lambda: view, price_list=CatalogPrices(lambda: kept[4], kept.get),
        settings=known.settings.model_copy(update={"operator": "globex", "keys_file": rig.keys_file}),
        history=CatalogHistory(known.readers, "globex"),
        sessions=Sessions(KeyRing(rig.keys_file, FakeClock(NOW)), b"secret", hours=1, grants=GRANTS),
    )  # fmt: skip


async def pages(rig: Rig, deps: Dependencies, tenant: str) -> dict[str, str]:
    """Return what every address answers to an admin of a tenant, and to its key."""
    desk = MemoryDesk()
    desk.kept = [content(3), content(4)]
    console = Console(deps, more(deps, desk, lambda *_: None))
    cookie = deps.sessions.open_person({"sub": "u", "groups": [f"{tenant} admin"]}, NOW)
    assert cookie is not None
    transport = httpx.ASGITransport(app=console.app(), raise_app_exceptions=False)
    key = {"authorization": f"Bearer {rig.keys[tenant]}"}
    found = {}
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers=key) as client:
        client.cookies.set("outlay", cookie)
        asked = [path for method, path in addresses(console) if method == "GET"]
        unknown = [path.replace(SECRET, NOTHING) for path in MORE if SECRET in path]
        for path in (*asked, "/setup/history/4", *MORE, *unknown):
            if not path.startswith(("/stream", "/login")):
                answer = await client.get(path)
                assert answer.status_code < 500, (path, answer.text)
                found[path] = answer.text
    return found


async def test_no_tenant_is_shown_what_of_the_catalog_is_anothers(rig: Rig, deps: Dependencies) -> None:
    seen = await pages(rig, deps, "acme")
    for path, text in seen.items():
        if SECRET in path:  # a page repeats what it was asked: it answers as to a name that nothing has
            assert text.replace(SECRET, NOTHING) == seen[path.replace(SECRET, NOTHING)], path
        else:
            assert SECRET not in text.lower(), path
    prices = seen["/prices"]
    for own in ("shared-box", "acme-box", "price book list: 3 → 4", "price book for-acme: 3 → 4"):
        assert own in prices
    assert '<td>list</td><td>4</td><td class="num">1</td>' in prices, "the rules that concern it"


async def test_the_owner_is_shown_it(rig: Rig, deps: Dependencies) -> None:
    seen = await pages(rig, deps, "globex")
    assert {path for path in SHOWN if SECRET in seen[path]} == SHOWN
    assert "lynx pays less" in seen["/prices"]
    assert "acme-box" not in seen["/prices"]
