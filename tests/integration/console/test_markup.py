"""Names are text on every page: no tenant, team, model, rule, budget or reason can become markup."""

from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from starlette.routing import Route
from tests.support.console_rig import MARK, NOW, Rig

from outlay_console.app import Console
from outlay_console.domain.view import DIMENSIONS

pytestmark = pytest.mark.stack


class Elements(HTMLParser):
    """Reads a page as a browser does: its elements, its attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, list[str]] = {}
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, []).append(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def addresses(console: Console) -> list[str]:
    """Return every page, with the name in each part of its address; a new route is among them."""
    mark, at = quote(MARK), int(NOW.timestamp()) - 7200
    routes = [one for one in console.routes() if isinstance(one, Route) and "GET" in (one.methods or ())]
    plain = [one.path.replace("{id}", "a-mallory").replace("{report}", "showback") for one in routes]
    pages = [path for path in plain if not path.startswith(("/stream", "/metrics", "/api"))]
    by = [f"/explore?range=30d&by={name}" for name in DIMENSIONS]
    filtered = [f"{path}?range=30d&{name}={mark}" for path in ("/explore", "/events") for name in DIMENSIONS]
    wrong = [
        f"/{mark}",
        f"/alerts/{mark}",
        f"/explore?by={mark}",
        f"/?tz={mark}",
        f"/login?next=/{mark}",
        f"/?{mark}={mark}",
        f"/dashboard?name={mark}",
        "/budgets/mark",
    ]
    return [
        *pages,
        *(f"{path}?range=30d" for path in pages),
        *by,
        *filtered,
        *wrong,
        f"/event?source={mark}&id={mark}&at={at}",
    ]


async def test_no_name_becomes_an_element_or_an_attribute_of_any_page(rig: Rig) -> None:
    client = await rig.logged_in("mallory")
    shown = set()
    for address in addresses(Console(rig.dependencies)):
        answer = await client.get(address)
        assert answer.status_code < 500, (address, answer.text)
        assert answer.headers.get("location", "/").startswith("/"), address
        if "html" not in answer.headers.get("content-type", ""):
            continue
        page = Elements(answer.text)
        assert "x-mark" not in page.tags, address
        assert "onload" not in page.attributes, address
        links = (
            page.attributes.get("href", [])
            + page.attributes.get("src", [])
            + page.attributes.get("action", [])
        )
        assert all(
            link.startswith(("/", "#", "data:image/")) and not link.startswith("//") for link in links
        ), address
        if MARK in page.text:
            shown.add(address.partition("?")[0])
    assert {
        "/",
        "/explore",
        "/events",
        "/event",
        "/budgets",
        "/alerts",
        "/alerts/a-mallory",
        "/quality",
        "/budgets/mark",
        "/views",
        "/dashboard",
    } <= shown
