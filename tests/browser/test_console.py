"""The console in a real Chromium: every page, with data, without, with ClickHouse away; on a phone; live."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from tests.support.browser import PHONE, Console, People, first_paint, violations
from tests.support.console_rig import PAGES
from tests.support.ledger import cost_event, write

from outlay_kit.clock import SystemClock
from outlay_kit.kafka import KafkaSink, deliver
from outlay_reports.money import usd
from outlay_schemas.events import encoder
from outlay_schemas.topics import COST_EVENTS

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NAMES = [path.partition("?")[0].strip("/").replace("/", "-") or "overview" for path in PAGES]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_each_page_is_drawn_without_complaint_and_accessible(
    people: People, name: str, dark: bool
) -> None:
    person = await people(dark=dark)
    await person.log_in()
    await person.see(PAGES[NAMES.index(name)])
    assert await violations(person) == []
    await person.picture(f"{'dark' if dark else 'light'}-{name}")
    assert person.complaints == []


@pytest.mark.parametrize("name", NAMES)
async def test_on_a_phone_nothing_hangs_over_the_edge_and_three_screens_hold_it(
    people: People, name: str
) -> None:
    person = await people(size=PHONE)
    await person.log_in()
    await person.see(PAGES[NAMES.index(name)])
    await person.picture(f"phone-{name}")
    assert await person.page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert await person.page.evaluate("document.documentElement.scrollHeight") <= 3 * PHONE[1]
    assert await violations(person) == []


@pytest.mark.parametrize("name", NAMES)
async def test_without_data_each_page_says_what_to_do(people: People, name: str) -> None:
    person = await people()
    await person.log_in("empty")
    await person.see(PAGES[NAMES.index(name)])
    await person.picture(f"empty-{name}")
    assert await violations(person) == []
    assert person.complaints == []


async def test_a_key_logs_in_and_a_wrong_one_is_refused(people: People) -> None:
    person = await people()
    page = person.page
    await page.goto(person.console.url + "/explore?by=sku&range=7d")
    assert page.url.endswith("/login?next=/explore%3Fby%3Dsku%26range%3D7d")
    await person.picture("login")
    assert await violations(person) == []
    await page.get_by_label("API key").fill("out_live_nonsense")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_contain_text("unknown")
    await page.get_by_label("API key").fill(person.console.rig.keys["acme"])
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/explore?by=sku&range=7d")
    assert await page.evaluate("document.cookie") == ""


async def test_a_link_from_another_site_opens_the_view_that_was_sent(people: People, tmp_path: Path) -> None:
    person = await people()
    await person.log_in()
    mail = tmp_path / "mail.html"
    mail.write_text(f'<a href="{person.console.url}/explore?by=sku&range=7d">look</a>', "utf-8")
    await person.page.goto(mail.as_uri())
    await person.page.get_by_text("look").click()
    await expect(person.page.get_by_role("heading", name="Explore")).to_be_visible()
    await expect(person.page.get_by_label("Group by")).to_have_value("sku")


async def test_without_clickhouse_the_page_says_so_and_recovers(people: People, lost: Console) -> None:
    person = await people(console=lost)
    await person.log_in()
    await person.see("/")
    await expect(
        person.page.get_by_role("heading", name="Cost data is temporarily unavailable")
    ).to_be_visible()
    await person.picture("away")
    assert await violations(person) == []


async def test_a_view_is_chosen_by_clicks_and_kept_in_the_address(people: People) -> None:
    person = await people()
    page = person.page
    await person.log_in()
    await person.see("/explore")
    await page.get_by_text("Last month", exact=True).click()
    await page.wait_for_url("**range=last-month**")
    await page.get_by_text("7 d", exact=True).click()
    await page.wait_for_url("**range=7d**")
    await page.get_by_label("Group by").select_option("sku")
    await page.wait_for_url("**by=sku**")
    await page.get_by_label("Time zone").select_option("Asia/Tokyo")
    await page.wait_for_url("**tz=Asia**")
    await page.get_by_role("link", name="gpt-5-mini", exact=True).click()
    await page.wait_for_url("**sku=gpt-5-mini**")
    await page.get_by_role("link", name="Remove the filter Model or SKU").click()
    await page.wait_for_url(lambda url: "sku=gpt" not in url)
    await page.get_by_text("Filter or choose times").click()
    await page.get_by_label("Value", exact=True).fill("growth")
    await page.get_by_role("button", name="Apply", exact=True).last.click()
    await page.wait_for_url("**team=growth**")
    await page.get_by_role("link", name="events", exact=False).first.click()
    await page.wait_for_url("**/events?**")
    await page.locator("tbody a").first.click()
    await expect(page.get_by_role("heading", name="How the cost is calculated")).to_be_visible()
    await person.picture("event")
    assert await violations(person) == []
    assert person.complaints == []


async def test_an_alert_leads_to_what_caused_it(people: People) -> None:
    person = await people()
    await person.log_in()
    await person.see("/alerts")
    await person.page.get_by_role("link", name="5 times what is usual").click()
    await expect(person.page.get_by_role("heading", name="Actions")).to_be_visible()
    await person.picture("alert")
    assert await violations(person) == []
    await person.page.get_by_role("link", name="View these costs in Explore").click()
    await expect(person.page.get_by_role("link", name="Remove the filter Team")).to_be_visible()
    assert person.complaints == []


async def test_an_alert_is_acknowledged_by_keyboard_alone(people: People) -> None:
    person = await people()
    page, keys = person.page, person.page.keyboard
    await person.log_in("kim")
    await person.see("/alerts/a-acme")
    await page.get_by_label("Note", exact=True).focus()
    await keys.type("a launch")
    await keys.press("Tab")
    await expect(page.get_by_role("button", name="Acknowledge")).to_be_focused()
    await person.picture("alert-say")
    assert await violations(person) == []
    await keys.press("Enter")
    await expect(page.locator(".said")).to_contain_text("Acknowledged by kim: a launch")
    await person.picture("alert-said")
    assert await violations(person) == []
    await page.get_by_role("button", name="Undo").first.press("Enter")
    await expect(page.get_by_text("Acknowledged by kim")).to_have_count(0)
    assert person.complaints == []


async def test_an_opportunity_is_dismissed_and_comes_back(people: People) -> None:
    person = await people(size=PHONE)
    await person.log_in("kim")
    await person.see("/opportunities")
    await person.page.get_by_role("button", name="Dismiss: send it as a batch").click()
    await person.page.get_by_text("Done and dismissed (1)").click()
    await person.picture("phone-dismissed")
    await person.page.get_by_role("button", name="Show again: send it as a batch").click()
    await expect(person.page.get_by_role("button", name="Dismiss: send it as a batch")).to_be_visible()
    assert person.complaints == []


async def test_a_chart_is_read_by_keyboard(people: People) -> None:
    person = await people()
    await person.log_in()
    await person.see("/explore?range=7d")
    await person.page.locator(".plot").focus()
    spoken = person.page.locator(".chart [aria-live]")
    for step in range(60):
        await person.page.keyboard.press("ArrowLeft")
        if step >= 10 and "$" in (await spoken.text_content() or ""):
            break  # nothing has a price in some hours
    await expect(spoken).to_contain_text("$")
    await expect(person.page.locator(".tip")).to_be_visible()
    await person.picture("tip")
    hour = await person.page.locator(".tip b").inner_text()
    await person.page.keyboard.press("Enter")
    await person.page.wait_for_url("**from=*Z&to=*Z**")
    await expect(person.page.locator(".head p")).to_contain_text(hour[-5:])


@pytest.mark.parametrize("shown", ["24h", "7d", "30d", "90d", "month"])
async def test_a_time_to_come_says_only_what_is_expected(people: People, shown: str) -> None:
    person = await people()
    await person.log_in()
    await person.see(f"/explore?range={shown}")
    await expect(person.page.locator(".legend").get_by_text("Forecast")).to_be_visible()
    await person.page.locator(".plot").focus()
    spoken = person.page.locator(".chart [aria-live]")
    heard: set[str] = set()
    for _ in range(60):
        await person.page.keyboard.press("ArrowRight")
        said = await spoken.inner_text()
        if said in heard:
            break
        if heard:  # the first is the bar that has begun
            assert re.search(r", forecast \S+ \(\S+\)$", said), said
            assert await person.page.locator(".tip p").count() == 1
        heard.add(said)
    await person.picture(f"ahead-{shown}")
    assert person.complaints == []


async def test_a_chart_is_shown_otherwise_and_without_a_series(people: People) -> None:
    person = await people()
    page = person.page
    await person.log_in()
    await person.see("/explore?range=30d")
    legend, said = page.locator(".legend"), page.locator(".chart [aria-live]")
    await legend.get_by_role("button", name="growth").click()
    await expect(legend.get_by_role("button", name="growth")).to_have_attribute("aria-pressed", "false")
    await expect(legend.get_by_text("Forecast")).to_have_count(0)
    await legend.get_by_role("button", name="Share").click()
    await page.locator(".plot").focus()
    for _ in range(32):  # days of a month, and more
        await page.keyboard.press("ArrowLeft")
        if "100%" in await said.inner_text():
            break
    await expect(said).to_contain_text("100%")
    await expect(said).not_to_contain_text(re.compile(r"growth \d"))  # an alert's title may name it
    await person.picture("share")
    await legend.get_by_role("button", name="Cumulative").click()
    await person.picture("cumulative")
    assert await violations(person) == []
    assert person.complaints == []


async def test_the_picture_of_a_chart_has_the_figures_of_the_page(people: People) -> None:
    """Its title has the total, and its legend what each series comes to, as the heading and the table have them."""
    person = await people()
    page = person.page
    await person.log_in()
    await person.see("/explore?range=7d&by=team&tz=UTC")
    written = await _written_on_the_picture(page)
    total = await page.locator("#spend").inner_text()
    assert "≥" in total
    assert any(text.endswith(f"(UTC): {total}") for text in written), written
    for row in await page.locator("table.sortable tbody tr").all():
        name, cost = [await cell.inner_text() for cell in (await row.locator("td").all())[:2]]
        assert f"{name} {cost}" in written, written
    assert person.complaints == []


async def test_the_picture_of_a_chart_names_its_filters_its_kind_and_every_line(people: People) -> None:
    person = await people()
    page = person.page
    await person.log_in()
    await person.see("/explore?range=24h&by=sku&tz=UTC&team=growth&team=platform&project~=p&compare=previous")
    await page.locator(".legend button", has_text="Cumulative").click()
    written = await _written_on_the_picture(page)
    [title] = [text for text in written if text.startswith("Spend per hour by model or SKU, cumulative, ")]
    assert "team growth, platform · project contains p" in title
    cells = await page.locator("table.sortable tbody td:nth-child(4)").all_inner_texts()
    before = sum(Decimal(cell.strip("≥ $").replace(",", "")) for cell in cells)
    [line] = [text for text in written if text.startswith("Previous period ")]
    assert abs(Decimal(line.rpartition("$")[2].replace(",", "")) - before) < Decimal("0.1")
    await page.locator(".legend button", has_text="Previous period").click()
    assert not [text for text in await _written_on_the_picture(page) if text.startswith("Previous period ")]
    assert person.complaints == []


async def _written_on_the_picture(page: Page) -> list[str]:
    """Download the chart as a picture, and return the texts on it."""
    await page.evaluate(
        "() => { window.written = []; const proto = CanvasRenderingContext2D.prototype;"
        " proto.plain ??= proto.fillText; proto.fillText = function (text, ...more) {"
        " window.written.push(text); return proto.plain.call(this, text, ...more); }; }"
    )
    async with page.expect_download() as download:
        await page.get_by_role("button", name="PNG").click()
    assert (await download.value).suggested_filename == "outlay.png"
    found: list[str] = await page.evaluate("window.written")
    return found


async def test_a_table_is_sorted_by_the_column_that_is_clicked(people: People) -> None:
    person = await people()
    page = person.page
    await person.log_in()
    await person.see("/explore?range=month&by=sku")
    costs = page.locator("table.sortable td.num:nth-child(2)")

    async def amounts() -> list[Decimal]:
        return [
            Decimal((await cell.get_attribute("title") or "").strip("$").replace(",", ""))
            for cell in await costs.all()
        ]

    given = await amounts()
    assert len(set(given)) > 1
    await page.locator("table.sortable th button", has_text="Cost").click()
    assert await amounts() == sorted(given, reverse=True)
    await page.locator("table.sortable th button", has_text="Cost").click()
    assert await amounts() == sorted(given)
    await page.locator("table.sortable th button", has_text="Model or SKU").click()
    names = await page.locator("table.sortable td:first-child").all_inner_texts()
    assert names == sorted(names, key=str.casefold)
    assert await violations(person) == []


async def test_explore_leaves_a_value_out_groups_twice_compares_and_zooms(people: People) -> None:
    person = await people()
    page = person.page
    await person.log_in()
    await person.see("/explore?range=7d&by=team")
    await page.get_by_text("Filter or choose times").click()
    await page.get_by_label("Condition").select_option("!")
    await page.get_by_label("Value", exact=True).fill("gro")
    await expect(page.locator("#values option")).to_have_text("growth")
    await page.get_by_label("Value", exact=True).fill("growth")
    await page.get_by_role("button", name="Apply", exact=True).last.click()
    await page.wait_for_url(lambda url: "team%21=growth" in url or "team!=growth" in url)
    await page.get_by_label("then by").select_option("sku")
    await page.wait_for_url("**by=team&by=sku**")
    await page.get_by_label("Compare").select_option("previous")
    await page.wait_for_url("**compare=previous**")
    await expect(page.locator(".legend")).to_contain_text("Previous period")
    assert "growth" not in await page.locator("table.sortable").inner_text()
    await page.get_by_label("Search this table").fill("platform")
    await expect(page.locator("table.sortable tbody tr:visible").first).to_contain_text("platform")
    assert await violations(person) == []
    await person.picture("explore")
    box = await page.locator(".u-over").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 90, steps=5)
    await page.mouse.up()
    await page.wait_for_url("**from=**")
    assert person.complaints == []


async def test_the_theme_is_switched_and_kept(people: People) -> None:
    person = await people()
    await person.log_in()
    await person.see("/")
    await person.page.get_by_role("button", name="switch between light and dark").click()
    await person.see("/budgets")
    assert await person.page.evaluate("document.documentElement.dataset.theme") == "dark"


async def test_figures_move_when_an_event_is_counted(people: People) -> None:
    person = await people()
    console = person.console
    await person.log_in()
    await person.see("/")
    await expect(person.page.locator("#live")).to_contain_text("live")
    figure = person.page.locator('[data-figure="today"]')
    text = await figure.inner_text()
    bound, before = text.startswith("≥"), Decimal(text.strip("≥ $").replace(",", ""))
    writer = console.stack.writer.model_copy(update={"database": "browser"})
    write(writer, [cost_event("acme", 9_000_001, SystemClock().now(), "1000", team="newcomers")])
    await expect(figure).to_have_text(usd(before + 1000, lower_bound=bound), timeout=10_000)
    await expect(person.page.locator('[data-live="chart"]')).to_contain_text("newcomers")


async def test_the_first_paint_does_not_wait_for_the_charts(people: People) -> None:
    """`tests/browser/times.py` measures it; the bound is for a machine that is busy with other work."""
    person = await people()
    await person.log_in()
    await person.see("/")
    seconds = await first_paint(person.page)
    print(f"first contentful paint of the overview: {seconds:.2f} s")  # noqa: T201
    assert 0 < seconds < 10


async def test_on_a_phone_the_cost_of_an_event_is_on_the_screen(people: People) -> None:
    person = await people(size=PHONE)
    await person.log_in()
    await person.see("/events")
    table = person.page.locator(".scroll:has(.events)")
    await person.picture("phone-events")
    assert await table.evaluate("(one) => one.scrollWidth - one.clientWidth") == 0


async def test_events_arrive_as_they_are_priced_and_only_ones_own(people: People) -> None:
    person = await people()
    console = person.console
    await person.log_in()
    await person.see("/live")
    await expect(person.page.locator("#live")).to_contain_text("live")
    sink = KafkaSink(console.stack.kafka)
    now = SystemClock().now()
    assert await person.page.locator("tbody tr").count() == 50  # it begins with the newest of the day
    row = person.page.locator("tbody tr.new", has_text="growth")
    for number in range(40):  # the tail begins when its reader is there: until then nothing is seen
        other = cost_event("globex", number, now, "3", team="zebra-crossing")
        ours = cost_event("acme", 9_100_000 + number, now, "0.75", user="u-live")
        deliver(sink, COST_EVENTS.name, [encoder.encode(other) + b"\n" + encoder.encode(ours)], b"acme")
        if await row.count():
            break
        await person.page.wait_for_timeout(250)
    await expect(row.first).to_contain_text("$0.75")
    await person.picture("live-events")
    assert "zebra" not in await person.page.content()
    sink.close()
    assert json.dumps(person.complaints) == "[]"
