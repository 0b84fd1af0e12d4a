"""A panel of a dashboard shows what the page behind its link shows, whatever the page around it is in."""

import html
import json
import re
from dataclasses import replace

import pytest
from tests.support.consistency.data import NOW, TENANT
from tests.support.consistency.surfaces import System
from tests.support.console_rig import chart_of, table_of

from outlay_schemas.events import encoder

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
QUERIES = {
    "Euros": "?range=month&tz=UTC&by=team&currency=EUR",
    "Kolkata": "?range=month&tz=Asia%2FKolkata&by=sku&currency=USD",
    "Growth": "?range=7d&tz=America%2FNew_York&by=user&compare=week&currency=EUR&team=growth&sku!=gpt-5-mini",
    "Charged": "?range=month&tz=UTC&by=team&currency=EUR&amount=charged",
    "Days": "?from=2026-11-20&to=2026-11-22&tz=UTC&by=team&by=sku",
}
ABOUT = {
    "Euros": "This month, UTC · EUR",
    "Kolkata": "This month, Asia/Kolkata · USD",
    "Growth": "7 d, America/New_York · EUR · team growth · model or SKU is not gpt-5-mini",
    "Charged": "This month, UTC · EUR · charged internally",
    "Days": "2026-11-20 to 2026-11-22, UTC · ",
}


@pytest.fixture(scope="module", autouse=True)
def saved(system: System) -> None:
    rows = [
        {"tenant": TENANT, "id": f"d-{name}", "name": name, "query": query, "dashboard": "Mixed", "shared": True,
         "owner": "key kim", "owner_name": "kim", "at": NOW}
        for name, query in {**QUERIES, "Pounds": "?range=7d&tz=UTC&by=team&currency=GBP"}.items()
    ]  # fmt: skip
    system.clickhouse.insert_json_lines("saved_views", b"\n".join(map(encoder.encode, rows)))


@pytest.mark.parametrize("own", ["USD", "EUR"])
@pytest.mark.parametrize("page", ["", "&currency=EUR&tz=Asia/Kolkata&team=research", "&currency=USD"])
def test_every_panel_shows_what_its_link_opens(system: System, page: str, own: str) -> None:
    """The currency of an address that names none, `own`, is the console's: for the link and for the panel."""
    settings = system.dependencies.settings.model_copy(update={"currency": own})
    system = replace(system, dependencies=replace(system.dependencies, settings=settings))
    shown = system.page(f"/dashboard?name=Mixed{page}")
    panels = {
        html.unescape(re.findall(r"<h2[^>]*><a [^>]*>(.*?)</a>", panel)[0]): panel
        for panel in re.findall(r'<section class="panel".*?</section>', shown, re.DOTALL)
    }
    assert set(panels) == {*QUERIES, "Pounds"}
    assert "The catalog has no exchange rate for 'GBP'" in panels["Pounds"]
    for name, query in QUERIES.items():
        panel, explore = panels[name], system.page(f"/explore{query}")
        heading = re.findall(r'<h2 id="spend">(.*?)</h2><p>(.*?)\s*</p>', explore, re.DOTALL)[0]
        assert re.findall(r"</h2><b>(.*?)</b>", panel) == [heading[0]], name
        assert re.findall(r'<p class="small">(.*?)\s*</p>', panel, re.DOTALL)[0] == heading[1], name
        assert ABOUT[name] in panel, name
        assert table_of(panel) == table_of(explore), name
        here, there = chart_of(panel), chart_of(explore)
        assert json.dumps(here["costs"]) == json.dumps(there["costs"]), name
        code = own if name == "Days" else query_currency(query)
        assert {str(chart["currency"]) for chart in (here, there)} == {code}, name
        assert ("€" in panel, "$" in panel.replace("$1", "")) == (code == "EUR", code == "USD"), name
    assert shown.count("Spend in EUR, converted from USD") == 1


def query_currency(query: str) -> str:
    return query.partition("currency=")[2][:3]
