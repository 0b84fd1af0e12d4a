"""Every page over 100,000 users and 5,000 models: it answers, stays small, and says what it leaves out."""

# ruff: noqa: S608 (what is pasted are our numbers)

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import httpx
import msgspec
import pytest
from tests.support.console_rig import NOW, Rig, make
from tests.support.console_routes import addresses
from tests.support.ledger import GRAINS, batched
from tests.support.stack import Stack

from outlay_aggregator.adapters.ledger_store import LedgerStore
from outlay_aggregator.domain.windows import Window
from outlay_aggregator.settings import Settings
from outlay_console.app import Console
from outlay_kit.clickhouse import ClickHouseClient
from outlay_schemas.catalog import FxRate
from outlay_schemas.currency import Currency, rounded

pytestmark = pytest.mark.stack
DATABASE = "console_full"
USERS, MODELS, TEAMS = 100_000, 5_000, 50
SECONDS = 43_200
"""Over how much of today the events are spread."""
START = int(NOW.replace(hour=0, minute=0, second=0).timestamp())
PRICED = USERS - MODELS
SPENT = Decimal(PRICED * (PRICED + 1) // 2) / 1_000_000
"""What the users spent: the first one a millionth of a dollar, each a millionth more than the one before."""
LARGEST = 1_500_000
"""Bytes that a page may have."""
MOST = 700
"""Rows and entries that a page may have."""
STATEMENTS = (
    f"""INSERT INTO ledger (tenant, source, id, time, kind, activity, provider, sku, usage, cost, price_status,
        price_ref, cost_parts, team, project, user, tags, revision, fingerprint, accepted_ms)
    SELECT 'acme', 'full', toString(number), toDateTime64({START} + number % {SECONDS}, 6, 'UTC'), 'llm', 'inference',
        'openai', concat('model-', toString(number % {MODELS})), map('input_tokens', toDecimal128(10, 9)),
        if(number < {PRICED}, toDecimal128(number + 1, 12) / 1000000, NULL),
        if(number < {PRICED}, 'priced', 'unpriced'), 'book@1#rule', map(), concat('team-', toString(number % {TEAMS})),
        concat('project-', toString(number % {TEAMS})), concat('user-', toString(number)),
        map('seat', concat('seat-', toString(number))), 1, number % 1000, 1000 * ({START} + number % {SECONDS}) + 500
    FROM numbers({USERS})""",
    f"""INSERT INTO opportunities (tenant, evaluated_at, since, until, events, id, kind, team, project, provider, sku,
        cost, recommendation, prerequisite, saving)
    SELECT 'acme', toDateTime({int(NOW.timestamp())}, 'UTC'), toDateTime({START} - 259200, 'UTC'),
        toDateTime({START}, 'UTC'), 20, concat('full-', toString(number)), 'batch tier', 'growth', 'p', 'openai',
        concat('model-', toString(number)), 9, 'send it as a batch', 'can it wait?', 1
    FROM numbers({MODELS})""",
    f"""INSERT INTO conflicts (tenant, source, id, time, fingerprint, cost, revision)
    SELECT 'acme', 'full', toString(number), toDateTime64({START}, 6, 'UTC'), number % 1000, 1, 1
    FROM numbers({MODELS})""",
    f"""INSERT INTO dead_letters (id, tenant, stage, code, path, message, at, body, topic, line)
    SELECT concat('full-', toString(number)), 'acme', 'ingest', concat('code-', toString(number)), '$.usage', 'wrong',
        toDateTime64({START}, 3, 'UTC'), '', '', 0
    FROM numbers({MODELS})""",
    f"""INSERT INTO saved_views (tenant, id, name, query, dashboard, shared, owner, owner_name, at)
    SELECT 'acme', concat('full-', toString(number)), concat('view ', toString(number)), '?range=24h&tz=UTC&by=user',
        'full', true, 'kim', 'kim', toDateTime64({START}, 3, 'UTC')
    FROM numbers({MODELS})""",
    f"""INSERT INTO notes (tenant, id, at, text, author, author_name, written_at)
    SELECT 'acme', concat('full-', toString(number)), toDateTime({START}, 'UTC'), 'launch', 'kim', 'kim',
        toDateTime64({START}, 3, 'UTC')
    FROM numbers({MODELS})""",
)  # fmt: skip
ADDRESSES = {
    "/alerts/a-globex": ["/alerts/a-acme"],
    "/budgets/a-globex": ["/budgets/growth"],
    "/dashboard": ["/dashboard?name=full"],
    "/event": [f"/event?source=full&id=7&at={START + 7}"],
    "/events": ["/events?range=24h"],
    "/explore": [f"/explore?range=24h&by={by}" for by in ("team", "sku", "user", "tags.seat", "user&by=sku")],
    "/prices/model": ["/prices/model?provider=openai&sku=model-7"],
    "/prices": ["/prices", "/prices?q=o"],
}
"""What stands for a route that needs more than its path."""
LEFT_OUT = {
    "/events?range=24h": "The newest 200",
    "/explore?range=24h&by=sku": "Rows <span data-first>1</span>\u2013200 of 5,00[0-9]",
    "/explore?range=24h&by=tags.seat": "Rows <span data-first>1</span>\u2013200 of 100,001",
    "/explore?range=24h&by=user&by=sku": "Rows <span data-first>1</span>\u2013200 of ",
    "/opportunities": "1\u201350 of 5,001, the largest first",
    "/prices": "Showing 100 of 5,00[0-9], those with the most unpriced events",
    "/quality": "(?s)Showing 50 of 5,001, the newest.*Showing 100 of 5,001, those that came most often",
    "/views": "The first 200 by name",
}
"""What a page says of what it does not show."""


@pytest.fixture(scope="module")
def rig(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    rig = make(stack, tmp_path_factory.mktemp("full"), DATABASE)
    clickhouse = ClickHouseClient(stack.writer.model_copy(update={"database": DATABASE}))
    for statement in STATEMENTS:
        clickhouse.command(statement)
    store = LedgerStore(clickhouse, cells=Settings.model_fields["user_cells"].default)
    for grain, seconds in GRAINS:
        for some in batched([Window(at, "acme") for at in range(START, START + SECONDS, seconds)]):
            store.recompute(grain, some)
    clickhouse.close()
    return rig


@pytest.fixture
async def client(rig: Rig) -> httpx.AsyncClient:
    return await rig.logged_in("kim")


def asked(rig: Rig) -> Iterator[str]:
    """Return the addresses of every page for people."""
    for method, path in addresses(Console(rig.dependencies)):
        others = ("/api", "/docs", "/explore.csv", "/login", "/metrics", "/openapi", "/setup", "/stream")
        if method == "GET" and not path.startswith(others):
            yield from ADDRESSES.get(path, [path])


async def test_every_page_answers_is_small_and_says_what_it_leaves_out(
    rig: Rig, client: httpx.AsyncClient
) -> None:
    found = list(asked(rig))
    assert {*LEFT_OUT} <= {*found}
    wrong = []
    for address in found:
        answer = await client.get(address)
        entries = len(re.findall(r"<(?:tr|li|option|path)\b", answer.text))
        wrong += [f"{address}: {answer.status_code}"] * (answer.status_code != 200)
        wrong += [f"{address}: {len(answer.content):,} bytes"] * (len(answer.content) > LARGEST)
        wrong += [f"{address}: {entries} entries"] * (entries > MOST)
        said = LEFT_OUT.get(address)
        wrong += [f"{address}: does not say {said}"] * bool(said and not re.search(said, answer.text))
    assert not wrong, "\n".join(wrong)


def sums(page: str) -> dict[str, Decimal]:
    """Return the exact costs below the table of Explore, and of its rows together."""
    body, _, foot = page.partition('data-tools="explore"')[2].partition("<tfoot>")
    cost = r'<td class="num" title="[$€]([\d.,]+)">'
    found = {
        name: _amount(text) for name, text in re.findall(rf'muted">(\w+)[^<]*</th>.*?{cost}', foot, re.DOTALL)
    }
    return (
        {"earlier": Decimal(0), "everything": Decimal(0)}
        | found
        | {"shown": sum(map(_amount, re.findall(cost, body)))}
    )


def _amount(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


async def test_all_rows_are_reached_and_each_page_is_the_total(rig: Rig, client: httpx.AsyncClient) -> None:
    address = "/explore?range=today&by=tags.seat"
    whole = SPENT + rig.spent(NOW.replace(hour=0, minute=0, second=0), NOW)
    first = sums((await client.get(address)).text)
    more = re.search(r'href="([^"]+)" data-more', (await client.get(address)).text)
    assert more is not None
    second = (await client.get(html.unescape(more[1]))).text
    last = (await client.get(f"{address}&after=99900")).text
    for page in (first, sums(second), sums(last)):
        assert page["total"] == whole
        assert page["earlier" if "rows" not in page else "rows"] + page["shown"] + page["everything"] == whole
    assert sums(second)["rows"] == first["shown"]
    assert "Rows <span data-first>99,901</span>\u2013100,001 of 100,001" in last
    assert "data-more" not in last


RATES = tuple(
    FxRate.model_validate({"currency": "EUR", "usd": usd, **when})
    for usd, when in (("1.1", {"to": NOW.replace(hour=6, minute=0, second=0)}),
                      ("1.3", {"from": NOW.replace(hour=6, minute=0, second=0)}))
)  # fmt: skip


async def test_the_pages_of_converted_rows_add_up_to_the_converted_total(rig: Rig) -> None:
    """The rate changes within the day, and neither it nor any amount divides evenly."""
    known = rig.dependencies.catalog()
    assert known is not None
    dependencies = replace(rig.dependencies, catalog=lambda: msgspec.structs.replace(known, fx=RATES))
    euros = Currency("EUR", RATES)
    today = NOW.replace(hour=0, minute=0, second=0)
    whole = sum(
        (Decimal(e.cost or 0) * _factor(euros, e.time) for e in rig.events if today <= e.time < NOW),
        Decimal(0),
    )
    for number in range(PRICED):
        whole += Decimal(number + 1) / 1_000_000 * _factor(euros, today + timedelta(seconds=number % SECONDS))
    address = "/explore?range=today&by=tags.seat&currency=EUR"
    client = await replace(rig, dependencies=dependencies).logged_in("kim")
    pages = [sums((await client.get(f"{address}&after={after}")).text) for after in (0, 200, 94_900, 100_000)]
    for page in pages:
        assert page["total"] == rounded(whole)
    first, second, late, last = pages
    assert second["rows"] == first["shown"]
    for page in (first, second, late):  # the difference that rounding each row makes is in what is left
        assert page.get("rows", 0) + page["shown"] + page["everything"] == page["total"]
        assert page["shown"] > 0
    assert abs(last["rows"] + last["shown"] - last["total"]) <= Decimal("0.5e-12") * (USERS + 1)


def _factor(currency: Currency, at: datetime) -> Decimal:
    factor = currency.factor(at)
    assert factor is not None
    return factor
