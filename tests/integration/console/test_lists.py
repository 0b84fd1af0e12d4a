"""Lists of the console that are longer than a page: their pages have each entry once and in order, to the last one."""

import html
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import chain

import httpx
import msgspec
import pytest
from tests.support.console_rig import NOW, Rig, make
from tests.support.stack import Stack

from outlay.setup.desk import REVISIONS, Desk
from outlay_console.adapters.catalog import ROWS
from outlay_console.pages import prices
from outlay_console.pages.budgets import CARDS
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_schemas.catalog import PriceBook
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.events import encoder

pytestmark = pytest.mark.stack
DATABASE = "console_lists"
COUNT = 130
"""Entries of each list."""
BUDGETS, SPENT = 80, 3
"""How many budgets there are, and how many of them have a forecast, which takes time."""
NUMBERS = [str(number) for number in range(1, COUNT + 1)]
MODEL = "/prices/model?provider=openai&sku=gpt-5-mini"


def price_book(number: int) -> PriceBook:
    """Return a price book with one price, which changes on a day."""
    day = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    dated = [
        {"meters": {"gb": {"price": "2"}}, "to": day},
        {"meters": {"gb": {"price": "1"}}, "from": day},
    ]
    rules = [{"id": "disk", "sku": f"disk-{number}", "prices": dated}]
    return PriceBook.model_validate({"name": f"book-{number}", "version": "1", "rules": rules})


def budget(number: int) -> Budget:
    """Return a budget of everything, or of a team that spends nothing."""
    scope: dict[str, tuple[str, ...]] = {} if number <= SPENT else {"team": ("none",)}
    return Budget(
        id=f"b{number}", name=f"Budget {number:02}", tenant="acme", scope=scope, amount=Decimal(number)
    )


@pytest.fixture(scope="module")
def rig(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    rig = make(stack, tmp_path_factory.mktemp("lists"), DATABASE)
    clickhouse = ClickHouseClient(stack.writer.model_copy(update={"database": DATABASE}))
    clickhouse.command("TRUNCATE TABLE catalogs")
    rows = []
    for number in range(1, COUNT + 1):
        body = {"author": "kim", "rates": {}, "price_books": [{"name": "cloud", "version": str(number)}]}
        at = NOW - timedelta(hours=COUNT - number)
        row = {"revision": number, "created_at": at, "note": "", "body": json.dumps(body)}
        rows += [encoder.encode(row)] * (1 + number % 2)  # a revision may be archived twice
    clickhouse.insert_json_lines("catalogs", b"\n".join(rows))
    clickhouse.close()
    known = rig.dependencies.catalog()
    assert known is not None
    shown = msgspec.structs.replace(
        known,
        price_books=tuple(price_book(number) for number in range(1, COUNT + 1)),
        budgets=tuple(map(budget, range(1, BUDGETS + 1))),
    )
    return replace(rig, dependencies=replace(rig.dependencies, catalog=lambda: shown))


def panel(name: str) -> str:
    """Return a pattern of a section of a page."""
    return rf'<section class="panel" aria-labelledby="{name}">.*?</section>'


async def walk(
    client: httpx.AsyncClient, address: str, section: str, entry: str, count: int = COUNT
) -> list[list[str]]:
    """Follow "More" from page to page, and return what each has of the `count` entries of a section."""
    pages: list[list[str]] = []
    while address:
        answer = await client.get(address)
        found = re.search(section, answer.text, re.DOTALL)
        assert found is not None, f"{address}: {answer.status_code}"
        first = sum(map(len, pages)) + 1
        pages.append(re.findall(entry, found[0]))
        place = f"{first}\N{EN DASH}{first + len(pages[-1]) - 1} of {count}"
        assert place in found[0], f"{address} does not say {place}"
        assert ('rel="prev"' in found[0]) == (len(pages) > 1)
        more = re.search(r'href="([^"]+)" rel="next"', found[0])
        address = html.unescape(more[1]) if more else ""
    return pages


async def test_every_revision_of_the_catalog_is_listed_with_what_it_changed(rig: Rig) -> None:
    client = await rig.logged_in()
    pages = await walk(client, "/prices", panel("changed"), r"revision (\d+)")
    changed = await walk(client, "/prices", panel("changed"), r"cloud: (\d+ \S+ \d+)|oldest (revision)")
    past, first = [(await client.get(f"/prices?history={n}")).text for n in (COUNT, 0)]
    assert [*chain.from_iterable(pages)] == NUMBERS[::-1]
    assert [len(page) for page in pages] == [ROWS] * (COUNT // ROWS) + [COUNT % ROWS]
    said = ["".join(one) for one in chain.from_iterable(changed)]
    assert said == [f"{n - 1} \N{RIGHTWARDS ARROW} {n}" for n in range(COUNT, 1, -1)] + ["revision"]
    assert past == first, "a page past the end is the first one"


async def test_the_past_of_a_model_says_that_older_catalogs_are_not_compared(rig: Rig) -> None:
    headers = {"authorization": f"Bearer {rig.keys['acme']}"}
    client = await rig.logged_in()
    page = (await client.get(MODEL)).text
    answer = (await client.get(f"/api/v1{MODEL}", headers=headers)).json()
    assert answer["older_revisions"] is True
    assert "Older catalogs are not compared here" in page


async def test_every_price_book_and_every_scheduled_price_is_listed(rig: Rig) -> None:
    client = await rig.logged_in()
    price_books = await walk(client, "/prices", panel("sources"), r"<td>book-(\d+)</td>")
    scheduled = await walk(client, "/prices", panel("dated"), r"<td>disk-(\d+)</td>")
    text = (await client.get("/prices?price_books=100")).text
    assert [*chain.from_iterable(price_books)] == NUMBERS
    assert [*chain.from_iterable(scheduled)] == NUMBERS[::-1]
    for pages in (price_books, scheduled):
        assert max(map(len, pages)) == prices.ROWS < COUNT
    assert "book-101" in text
    assert f"revision {COUNT}" in text, "the other lists begin at their first page"


async def test_every_budget_is_listed_the_fullest_first(rig: Rig) -> None:
    client, entry = await rig.logged_in(), r'<a href="/budgets/b(\d+)">'
    pages = await walk(client, "/budgets", "<main.*</main>", entry, BUDGETS)
    past = (await client.get(f"/budgets?after={BUDGETS}")).text
    assert [*chain.from_iterable(pages)] == NUMBERS[:BUDGETS], (
        "the smaller its amount, the fuller it is; then by name"
    )
    assert [len(page) for page in pages] == [CARDS, BUDGETS - CARDS]
    assert re.findall(entry, past) == pages[0], "a page past the end is the first one"


def test_set_up_lists_every_revision(rig: Rig, stack: Stack) -> None:
    desk = Desk(stack.kafka, stack.writer.model_copy(update={"database": DATABASE}), FakeClock(NOW))
    first, last, past = (desk.revisions(after) for after in (0, REVISIONS, 9999))
    assert [str(one.revision) for one in (*first.entries, *last.entries)] == NUMBERS[::-1]
    assert (first.previous, first.next, first.count) == (None, REVISIONS, COUNT)
    assert (last.previous, last.next) == (0, None)
    assert {one.author for one in last.entries} == {"kim"}
    assert past == first
