"""Every page over the real engine: right to the cent, for one tenant only, and well when its stores are not."""

import csv
import html
import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest
from msgspec import structs
from tests.support.console_rig import NOW, PAGES, SECRET, Rig, chart_of, dependencies
from tests.support.stack import Stack

from outlay.catalog import load_default
from outlay.catalog.what_if import what_if
from outlay_console.domain.view import View
from outlay_console.pages import explore
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.time_ranges import TimeRange, midnight
from outlay_pricer.domain.compare import compare
from outlay_pricer.domain.repricing import usage_of
from outlay_reports.money import exact, usd
from outlay_schemas.catalog.watch import Budget
from outlay_schemas.events import encoder

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("tenant", ["acme", "empty"])
async def test_each_page_answers_with_and_without_data(rig: Rig, path: str, tenant: str) -> None:
    client = await rig.logged_in(tenant)
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    assert "<h1>" in answer.text


async def test_the_overview_shows_what_the_oracle_knows(rig: Rig) -> None:
    page = (await (await rig.logged_in()).get("/")).text
    today = NOW.replace(hour=0, minute=0, second=0)
    assert f'data-figure="today">≥ {usd(rig.spent(today, NOW))}<' in page
    month = NOW.replace(day=1, hour=0, minute=0, second=0)
    assert f'data-figure="month">≥ {usd(rig.spent(month, NOW))}<' in page
    assert f'≥ {usd(rig.spent(month, NOW, team="growth"))} <span class="muted">of $500.00' in page
    assert "5 times what is usual" in page


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"])
@pytest.mark.parametrize("name", ["3h", "24h", "7d", "30d"])
async def test_chart_table_and_oracle_agree_in_every_zone(rig: Rig, zone: str, name: str) -> None:
    page = (await (await rig.logged_in()).get(f"/explore?range={name}&tz={quote(zone)}&by=sku")).text
    span = View(name, zone=ZoneInfo(zone)).span(NOW)
    chart = chart_of(page)
    drawn = sum((Decimal(str(c)) for costs in chart["costs"] for c in costs), Decimal(0))  # type: ignore[attr-defined]
    assert drawn == rig.spent(span.start, span.end)
    assert f'title="{exact(rig.spent(span.start, span.end, sku="gpt-5"))}"' in page


async def test_this_month_is_the_same_on_the_first_page_and_in_explore_and_its_table_is_a_file(
    rig: Rig,
) -> None:
    client = await rig.logged_in()
    spent = rig.spent(NOW.replace(day=1, hour=0, minute=0, second=0), NOW)
    assert f'data-figure="month">≥ {usd(spent)}<' in (await client.get("/")).text
    page = (await client.get("/explore?range=month&by=sku&team=growth")).text
    answer = await client.get("/explore.csv?range=month&by=sku&team=growth")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    growth = rig.spent(NOW.replace(day=1, hour=0, minute=0, second=0), NOW, team="growth")
    assert sum(Decimal(row["cost_usd"]) for row in rows) == growth
    assert usd(growth) in page
    assert all(f"sku={quote(row['sku'])}" in page for row in rows)
    assert answer.headers["content-disposition"] == 'attachment; filename="outlay-sku-2026-11-01.csv"'


async def test_a_day_of_a_zone_is_that_zones_day(rig: Rig) -> None:
    zone = ZoneInfo("Asia/Kolkata")
    day = NOW.date() - timedelta(days=1)
    page = (await (await rig.logged_in()).get(f"/explore?from={day}&to={day}&tz=Asia/Kolkata&by=team")).text
    spent = rig.spent(midnight(day, zone), midnight(day + timedelta(days=1), zone))
    drawn = sum((Decimal(str(c)) for costs in chart_of(page)["costs"] for c in costs), Decimal(0))  # type: ignore[attr-defined]
    assert drawn == spent


async def test_a_filter_for_unassigned_is_a_filter(rig: Rig) -> None:
    page = (await (await rig.logged_in()).get("/explore?range=7d&team=&by=sku")).text
    assert usd(rig.spent(NOW - timedelta(days=7), NOW, team="")) in page
    assert "(unassigned)" in page


async def test_from_the_chart_to_an_event_and_why_it_costs_that(rig: Rig) -> None:
    client = await rig.logged_in()
    events = (await client.get("/events?range=7d&sku=gpt-5")).text
    link = re.search(r'href="(/event\?[^"]+)"', events)
    assert link is not None
    page = (await client.get(html.unescape(link[1]))).text
    newest = max((e for e in rig.events if e.sku == "gpt-5"), key=lambda e: e.time)
    assert newest.id in page
    assert "input_tokens" in page
    assert "book" in page


@pytest.mark.parametrize("more", ["", "&sku=gpt-5", "&user=u-1", "&team=&tz=Asia/Kolkata", "&team=no-one"])
@pytest.mark.parametrize("name", ["3h", "24h", "7d"])
async def test_the_newest_events_are_listed_and_none_is_left_out(rig: Rig, name: str, more: str) -> None:
    page = (await (await rig.logged_in()).get(f"/events?range={name}{more}")).text
    wanted = dict(pair.split("=") for pair in more.split("&") if pair and "tz" not in pair)
    span = View(name, zone=ZoneInfo("Asia/Kolkata" if "Kolkata" in more else "UTC")).span(NOW)
    known = [
        e
        for e in rig.events
        if span.start <= e.time < span.end and all(getattr(e, k) == v for k, v in wanted.items())
    ]
    newest = sorted(known, key=lambda e: (-e.time.timestamp(), e.id))[:200]
    shown = re.findall(r"/event\?source=test&amp;id=(e-\d+)&amp;", page)
    assert sorted(shown) == sorted(e.id for e in newest)


@pytest.mark.parametrize("path", [*PAGES, "/event?source=test&id=e-1&at={at}", "/alerts/a-globex"])
@pytest.mark.parametrize(
    "more",
    [
        "",
        f"tenant=globex&range=30d&team={SECRET}",
        "range=30d&team=" + quote("' OR tenant = 'globex' --"),
        "range=30d&by=sku&tz=UTC&tenant=globex&tenant=acme",
    ],
)
async def test_no_request_shows_another_tenants_costs(rig: Rig, path: str, more: str) -> None:
    client = await rig.logged_in("acme")
    at = int((NOW - timedelta(hours=1)).timestamp())
    address = path.format(at=at) + ("&" if "?" in path else "?") + more
    headers = {"x-tenant": "globex", "x-clickhouse-user": "outlay", "x-outlay-tenant": "globex"}
    answer = await client.get(address, headers=headers)
    shown = re.sub(
        r'<a class="chip".*?</a>|<input type="hidden"[^>]*>|(?:href|data-filters)="[^"]*"|<h2>No \w+ for [^<]*</h2>',
        "",
        answer.text,
        flags=re.DOTALL,
    )
    assert SECRET not in shown
    assert not re.search(r"(?<![\d.,])77\.50?(?!\d)", shown)
    assert "Zebra" not in shown
    assert answer.status_code == (404 if path.startswith(("/event?", "/alerts/")) else 200)


async def test_a_budget_that_is_over_names_the_minute_in_the_past_at_which_it_was_used_up(rig: Rig) -> None:
    page = (await (await rig.logged_in()).get("/budgets")).text
    spent, used_up = Decimal(0), NOW
    for event in sorted(rig.events, key=lambda event: event.time):
        if event.team == "growth":
            spent += Decimal(event.cost or 0)
            if spent >= 500:
                used_up = min(used_up, event.time)
    assert f'{usd(spent)} <span class="muted mid">of $500.00</span>' in page
    assert f'<dt>Ran out</dt><dd class="over">on {used_up:%Y-%m-%d %H:%M} UTC</dd>' in page
    assert used_up < NOW
    assert "2026-11-01 to 2026-11-30" in page
    assert "Zebra budget" not in page


async def test_an_alert_is_explained_and_leads_on(rig: Rig) -> None:
    client = await rig.logged_in()
    listed = (await client.get("/alerts")).text
    assert "snoozed until 2026-11-25 22:42: growth launch" in listed
    assert 'href="/alerts/a-acme"' in listed
    page = (await client.get("/alerts/a-acme")).text
    assert "figures of 2026-11-25 " in page
    assert "figures of 2026-11-25 " in listed
    assert "outlay alerts ack a-acme" in page, "a key that can only read sees the commands"
    link = re.search(r'href="(/explore[^"]+)">View these costs', page)
    assert link is not None
    explored = await client.get(html.unescape(link[1]))
    assert explored.status_code == 200
    assert "team=growth" in link[1]
    begun = (NOW - timedelta(hours=2)).replace(minute=0, second=0, microsecond=0)
    decided = (NOW - timedelta(minutes=59)).replace(second=0, microsecond=0)
    spent = usd(rig.spent(begun, decided, team="growth"))
    assert f'<h2 id="spend">{spent}</h2>' in explored.text.replace("≥ ", "")


async def test_a_budget_shows_how_its_past_periods_went(rig: Rig) -> None:
    daily = Budget(
        id="daily", name="Daily", tenant="acme", scope={"team": ("growth",)}, amount=Decimal(1), period="day",
        timezone="Europe/Berlin",
    )  # fmt: skip
    shown = rig.dependencies.catalog()
    assert shown is not None
    catalog = structs.replace(shown, budgets=(daily,))
    client = await replace(rig, dependencies=replace(rig.dependencies, catalog=lambda: catalog)).logged_in()
    page = (await client.get("/budgets/daily")).text
    past = page.split('id="past"')[1]
    days = re.findall(r'href="(/explore\?[^"]*)">(\d{4}-\d\d-\d\d)', past)
    assert [day for _, day in days] == ["2026-11-24", "2026-11-23", "2026-11-22"], (
        "no day before the first event"
    )
    start = midnight(date(2026, 11, 23), ZoneInfo("Europe/Berlin"))
    spent = rig.spent(start, start + timedelta(days=1), team="growth")
    assert exact(spent) in past
    explored = (await client.get(days[1][0].replace("&amp;", "&"))).text
    assert usd(spent) in explored.split('<h2 id="spend">')[1].split("</h2>")[0]
    assert (await client.get("/budgets/other")).status_code == 404


async def test_what_could_be_saved_is_reported_by_the_month(rig: Rig) -> None:
    page = (await (await rig.logged_in()).get("/opportunities")).text
    assert "$200" in page, "20 USD in 3 days"
    assert "saved <b>$1.50</b>" in page
    assert "/save" not in page


async def test_what_changed_when_is_reported_of_prices(rig: Rig) -> None:
    page = (await (await rig.logged_in()).get("/prices")).text
    assert "model prices: genai-prices 0.2.2 \u2192 genai-prices 0.2.3" in page
    assert "price book cloud: 1 \u2192 2" in page


async def test_what_if_is_the_sum_that_the_command_line_prices_event_by_event(rig: Rig) -> None:
    client, content = await rig.logged_in(), load_default()
    sku, prices = "gpt-5-mini", rig.dependencies.price_list
    events = [usage_of(e) for e in rig.events if e.sku == sku]
    assert len(events) > 50
    assert prices is not None
    for name in ("anthropic/claude-haiku-4-5", f"openai/{sku}", "google/gemini-2.5-pro"):
        exact = compare(*what_if(content, name), events).total
        page = (await client.get(f"/prices/model?provider=openai&sku={sku}&as={name}")).text
        case = page.split('id="what-if"')[1].split("<li>")[1].split("</li>")[0]
        assert f"<b>{usd(Decimal(exact.after))}</b>" in case, (name, exact.after, case)
        provider, other = name.split("/")
        asked = prices.what_if(
            ClickHouseClient(rig.dependencies.settings.clickhouse).rows, "acme", ("openai", sku),
            TimeRange(NOW - timedelta(days=5), NOW), (provider, other, ""),
        )[0]  # fmt: skip
        assert asked.events + asked.left_out == len(events)
        assert abs(asked.after - Decimal(exact.after)) < Decimal("0.000001")


async def test_what_differs_under_one_identity_is_reported(rig: Rig) -> None:
    page = (await (await rig.logged_in()).get("/quality")).text
    assert "twice" in page


@pytest.mark.parametrize("path", ["/?range=today", "/budgets", "/explore?range=today"])
async def test_every_total_with_unpriced_events_is_shown_as_a_minimum(rig: Rig, path: str) -> None:
    page = (await (await rig.logged_in()).get(path)).text
    today = NOW.replace(hour=0, minute=0, second=0)
    month, growth = today.replace(day=1), {"team": "growth"}
    spent = rig.spent(month, NOW, **growth) if path == "/budgets" else rig.spent(today, NOW)
    found = re.findall(rf"(≥ )?{re.escape(usd(spent))}[ <]", page)
    assert set(found) == {"≥ "}, "somewhere the same total looks complete"


async def test_what_was_spent_on_a_model_with_unpriced_events_is_a_minimum(rig: Rig) -> None:
    event = next(one for one in rig.events if one.tenant == "acme" and one.cost is None)
    client = await rig.logged_in()
    page = (await client.get("/prices/model", params={"provider": event.provider, "sku": event.sku})).text
    spent = rig.spent(NOW - timedelta(days=30), NOW, provider=event.provider, sku=event.sku)
    assert f'<p class="big">{usd(spent, lower_bound=True)}</p>' in page


async def test_each_page_of_a_table_adds_up_to_its_total(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore, "ROWS", 2)
    client = await rig.logged_in()
    spent = rig.spent(NOW - timedelta(days=4), NOW)
    address, shown, seen, pages = "/explore?range=7d&by=sku&by=team", Decimal(0), set[str](), 0
    while address:
        page = (await client.get(address)).text
        table = page.partition('data-tools="explore"')[2]
        body, _, foot = table.partition("<tfoot>")
        costs, summed = (
            [
                Decimal(one.replace(",", ""))
                for one in re.findall(r'<td class="num" title="\$([\d.,]+)">', part)
            ]
            for part in (body, foot)
        )
        links = re.findall(r'href="(/events[^"]*)"', body)
        assert len(costs) == len(links)
        assert not seen & {*links}, "a row twice"
        seen |= {*links}
        named = dict(zip(re.findall(r'<th scope="row" class="muted">(\w+)', foot), summed, strict=True))
        assert named["total"] == spent
        assert named.get("rows", Decimal(0)) == shown, "the pages before"
        shown += sum(costs)
        assert shown + named.get("everything", Decimal(0)) == spent
        pages += 1
        assert f"{len(seen)} of 6, the most expensive first" in table
        more = re.search(r'href="([^"]+)" data-more', table)
        address = html.unescape(more[1]) if more else ""
    assert (pages, shown, len(seen)) == (3, spent, 6)
    past = await client.get("/explore?range=7d&by=sku&by=team&after=6")
    assert (past.status_code, past.headers["location"][-6:]) == (303, "#table")
    assert "after" not in past.headers["location"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
async def test_the_quality_page_is_about_the_same_days_as_explore(rig: Rig, zone: str) -> None:
    later = NOW + timedelta(days=28)
    aged = replace(rig, dependencies=replace(rig.dependencies, clock=FakeClock(later)))
    span = View("30d", zone=ZoneInfo(zone)).span(later)
    spent = usd(rig.spent(span.start, span.end))
    client = await aged.logged_in()
    assert f"of ≥ {spent}<" in (await client.get(f"/quality?tz={quote(zone)}")).text
    assert f">≥ {spent}<" in (await client.get(f"/explore?range=30d&tz={quote(zone)}")).text


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("gpt-5", "/prices/model?provider=openai&sku=gpt-5"),
        ("OpenAI GPT-5-mini", "/prices/model?provider=openai&sku=gpt-5-mini"),
        ("openai/gpt-5-nano", ""),  # a name of openrouter, too
        ("gpt-5-mini", ""),  # of two providers
        ("gpt", ""),
        ("nosuchmodel", ""),
    ],
)
async def test_a_typed_search_that_names_one_model_opens_its_page(rig: Rig, text: str, opened: str) -> None:
    client = await rig.logged_in()
    answer = await client.get("/prices", params={"q": text, "open": "1"})
    assert answer.status_code == (303 if opened else 200)
    assert answer.headers.get("location", "") == opened
    assert (await client.get("/prices", params={"q": text})).status_code == 200, "an address that is shared"


async def test_a_dead_letter_that_was_replayed_is_no_longer_listed(rig: Rig, stack: Stack) -> None:
    database = rig.dependencies.settings.clickhouse.database
    clickhouse = ClickHouseClient(stack.writer.model_copy(update={"database": database}))
    client = await rig.logged_in("globex")
    for code in ("left", "replayed"):
        row = {"id": code, "tenant": "globex", "stage": "ingest", "code": code, "at": NOW}
        clickhouse.insert_json_lines("dead_letters", encoder.encode(row))
    assert "<code>replayed</code>" in (await client.get("/quality")).text
    row = {"id": "replayed", "tenant": "globex"}
    clickhouse.insert_json_lines("dead_letter_replays", encoder.encode(row))
    clickhouse.close()
    page = (await client.get("/quality")).text
    assert "<code>left</code>" in page
    assert "<code>replayed</code>" not in page


async def test_the_quality_page_shows_the_clock_skew_of_each_source(rig: Rig) -> None:
    page = (await (await rig.logged_in("globex")).get("/quality")).text
    assert "Clock skew" in page
    assert "Events of the last 24 hours, accepted in the last hour" in page
    assert "20 s after" in page
    assert "Clock skew" not in (await (await rig.logged_in()).get("/quality")).text


async def test_the_quality_page_says_what_a_backlog_counts(rig: Rig) -> None:
    page = (await (await rig.logged_in()).get("/quality")).text
    assert "Kafka records waiting per service (all tenants)" in page


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("range=month", "this time last month"),
        ("range=today", "this time yesterday"),
        ("range=7d", "previous period"),
        ("range=month&compare=week", "a week earlier"),
    ],
)
async def test_explore_names_what_it_compares_with_as_the_overview_does(
    rig: Rig, query: str, said: str
) -> None:
    page = (await (await rig.logged_in()).get(f"/explore?tz=UTC&{query}")).text
    heading = re.search(r'<h2 id="spend">.*?</h2><p>(.*?)</p>', page, re.DOTALL)
    assert heading is not None
    assert said in heading[1]


async def test_the_other_tenant_sees_its_own(rig: Rig) -> None:
    client = await rig.logged_in("globex")
    at = int((NOW - timedelta(hours=1)).timestamp())
    assert SECRET in (await client.get("/explore?range=24h")).text
    assert "$77.5" in (await client.get(f"/event?source=test&id=e-1&at={at}")).text


async def test_no_page_opens_without_a_session(rig: Rig) -> None:
    client = rig.client()
    for path in (*PAGES, "/event", "/explore?by=sku"):
        answer = await client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/login")
    for path in ("/stream/figures", "/stream/events"):
        assert (await client.get(path)).status_code == 401
    link = await client.get("/explore?by=sku", headers={"sec-fetch-site": "cross-site"})
    assert 'content="0; url=/explore?by=sku"' in link.text


async def test_login_is_limited_and_its_cookie_is_kept_from_scripts(rig: Rig) -> None:
    client = rig.client()
    wrong = await client.post("/login", data={"key": "out_live_000000000000_" + "x" * 32})
    assert wrong.status_code == 401
    right = await client.post("/login", data={"key": rig.keys["acme"], "next": "/explore?by=sku"})
    assert right.headers["location"] == "/explore?by=sku"
    cookie = right.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    statuses = [(await client.post("/login", data={"key": "no"})).status_code for _ in range(6)]
    assert statuses[-1] == 429
    large = await rig.client().post("/login", content=b"key=" + b"x" * 5000)
    assert large.status_code == 413


async def test_another_site_can_neither_log_in_nor_out(rig: Rig) -> None:
    client = await rig.logged_in()
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "none", "origin": "http://evil"}):
        assert (await client.post("/logout", headers=headers)).status_code == 403
        assert (await client.post("/login", data={"key": "x"}, headers=headers)).status_code == 403
    assert (await client.get("/")).status_code == 200
    assert (await client.post("/logout")).headers["location"] == "/login"
    assert (await client.get("/")).status_code == 303


async def test_no_answer_has_inline_code_and_each_has_the_policy(rig: Rig) -> None:
    client = await rig.logged_in()
    for path in (*PAGES, "/login", "/nowhere", "/static/app.js", "/explore?by=tenant"):
        answer = await client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        if "html" in answer.headers["content-type"]:
            assert not re.search(
                r"<script(?![^>]*(src=|application/json))|<style|\sstyle=|\son\w+=", answer.text
            )
            assert answer.headers["cache-control"] == "no-store"
            assert "<b>spent</b>" not in answer.text
        loaded = re.sub(r'<td class="break">[^<]*|<a href="https://[^>]*>', "", answer.text)  # not: links
        assert "https://" not in loaded or path.endswith(".js")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/event?source=a&id=b&at=1", 404),
        ("/event?source=a&id=b&at=99999999999999", 404),
        ("/event", 404),
        ("/explore?by=tenant", 400),
        ("/?tz=Mars", 400),
    ],
)
async def test_what_is_not_there_is_said(rig: Rig, path: str, status: int) -> None:
    answer = await (await rig.logged_in()).get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text


async def test_pages_say_that_clickhouse_is_away(rig: Rig, stack: Stack, tmp_path: Path) -> None:
    key = tmp_path / "keys.json"
    nowhere = ClickHouseSettings(url="http://127.0.0.1:9", user="x")
    missing = stack.reader.model_copy(update={"database": "not_made_yet"})
    for settings, why in (
        (nowhere, "ClickHouse is not responding"),
        (missing, "Check OUTLAY_CLICKHOUSE_USER"),
    ):
        away = dependencies(stack, settings, tmp_path)
        lost = replace(rig, dependencies=replace(away, sessions=rig.dependencies.sessions))
        client = await lost.logged_in()
        answer = await client.get("/")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "5"
        assert why in answer.text
        assert "No data is lost" in answer.text
    assert not key.exists()


async def test_a_page_is_answered_to_whoever_may_look_now(rig: Rig) -> None:
    client: httpx.AsyncClient = await rig.logged_in()
    clock = rig.dependencies.clock
    assert clock.now() == datetime(2026, 11, 25, 14, 42, 7, tzinfo=UTC)
    answer = await client.get("/quality")
    assert "bad_growth" in answer.text
    assert "pricer" in answer.text


async def test_the_month_lands_where_the_past_leads_to(rig: Rig) -> None:
    """Three days are too few for days: hours are forecast, and the bounds hold what is expected."""
    page = (await (await rig.logged_in()).get("/")).text
    found = re.search(
        r"Forecast for the month: <b>≥ \$([\d,.]+)</b> <span class=\"muted\">\(\$([\d,.]+)\u2013\$([\d,.]+)\)",
        page,
    )
    assert found is not None
    expected, low, high = (Decimal(text.replace(",", "")) for text in found.groups())
    spent = rig.spent(NOW.replace(day=1, hour=0, minute=0, second=0), NOW)
    assert round(spent) <= low <= expected <= high
    per_hour = spent / 72
    left = 24 * 5 + 9
    assert spent + per_hour * left / 2 < expected < spent + per_hour * left * 2
    assert "Forecast for the month" not in (await (await rig.logged_in("globex")).get("/")).text
