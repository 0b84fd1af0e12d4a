"""Set-up in a real Chromium: a budget from an empty form to the catalog in force, and a newcomer's first event."""

import re

import pytest
from playwright.async_api import expect
from tests.support.browser import PHONE, People, violations
from tests.support.ledger import cost_event, write

from outlay.catalog.publish import newest
from outlay_kit.clock import SystemClock

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_budget_is_created_and_removed_in_the_browser(people: People) -> None:
    person = await people()
    page = person.page
    before = newest(person.console.stack.kafka)
    assert before is not None
    await person.log_in("kim")
    await person.see("/budgets")
    await page.get_by_role("link", name="Change budgets").click()
    await page.get_by_role("link", name="New budget").click()
    await page.get_by_label("Id required").fill("search")
    await page.get_by_label("Name required").fill("Search team")
    await page.get_by_label("Amount required").fill("-1")
    await page.get_by_label("Scope").fill("team: search")
    assert await violations(person) == []
    await person.picture("setup-form")
    await page.get_by_role("button", name="Check and plan").click()
    await expect(page.get_by_label("Amount required")).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_role("alert").first).to_contain_text("Input should be greater than 0")
    assert await violations(person) == []
    await person.picture("setup-problem")
    await page.get_by_label("Amount required").fill("250")
    await page.get_by_role("button", name="Check and plan").click()
    await expect(page.get_by_role("heading", name="What this changes")).to_be_visible()
    await expect(page.get_by_text("budgets: search")).to_be_visible()
    await expect(page.get_by_role("row", name=re.compile("^search"))).to_be_visible()
    assert await violations(person) == []
    await person.picture("setup-plan")
    await page.get_by_label("Note", exact=True).fill("agreed in the browser")
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("status")).to_contain_text(f"Revision {before.revision + 1} is published")
    after = newest(person.console.stack.kafka)
    assert after is not None
    kim = person.console.rig.keys["kim"].split("_")[2]
    assert (after.revision, after.author, after.note) == (
        before.revision + 1, f"key {kim}", "agreed in the browser"
    )  # fmt: skip
    assert [budget.id for budget in after.budgets] == [*(b.id for b in before.budgets), "search"]
    assert (after.rates, after.price_books) == (before.rates, before.price_books)
    await page.get_by_role("link", name="See what it changed").click()
    await expect(page.get_by_text("budgets: search")).to_be_visible()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download as YAML").click()
    assert (await download.value).suggested_filename == f"catalog-{after.revision}.zip"
    await person.see("/budgets")
    await page.get_by_role("link", name="Change budgets").click()
    await page.get_by_role("button", name="Remove Search team").click()
    await page.get_by_role("button", name="Remove and publish").click()
    await expect(page.get_by_role("status")).to_contain_text("is published")
    last = newest(person.console.stack.kafka)
    assert last is not None
    assert last.budgets == before.budgets
    expected = [text for text in person.complaints if "400 (Bad Request)" not in text]
    assert expected == []


@pytest.mark.parametrize("tab", ["start", "budgets", "rules", "channels", "owners", "keys", "history"])
async def test_each_page_of_set_up_fits_and_is_accessible(people: People, tab: str) -> None:
    for size, dark, name in ((PHONE, True, "phone"), ((1440, 900), False, "desk")):
        person = await people(size=size, dark=dark)
        await person.log_in("kim")
        await person.see(f"/setup/{tab}")
        await person.picture(f"setup-{tab}-{name}")
        assert await person.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert await violations(person) == []
        assert person.complaints == []


async def test_the_page_turns_by_itself_when_the_first_event_is_there(people: People) -> None:
    person = await people()
    page = person.page
    await person.log_in("newcomer")
    await person.see("/")
    await page.get_by_role("link", name="Get a key and lines to copy").click()
    await page.get_by_role("button", name="Create a key").click()
    key = await page.locator("#key").inner_text()
    assert re.fullmatch(r"out_live_[a-z0-9]{12}_[A-Za-z0-9]{32}", key)
    for way in ("OpenTelemetry", "LiteLLM", "Python SDK", "curl"):
        await page.get_by_text(way, exact=True).click()
        await expect(page.locator("[data-way]:visible")).to_contain_text(key)
    await expect(page.locator("#first")).to_contain_text("Waiting for your first event")
    await person.picture("setup-first-run")
    assert await violations(person) == []
    event = cost_event("newcomer", 1, SystemClock().now(), "0.5", team="growth")
    event.accepted_ms = int(SystemClock().now().timestamp() * 1000)
    write(person.console.stack.writer.model_copy(update={"database": "browser"}), [event])
    await expect(page.locator("#first")).to_contain_text("Your first event is here.", timeout=15_000)
    await page.get_by_role("link", name="See your costs").click()
    await expect(page.get_by_role("heading", name="Spend by team")).to_be_visible()
    assert person.complaints == []
