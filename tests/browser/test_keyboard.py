"""The console by keyboard alone, in a real Chromium."""

import pytest
from playwright.async_api import expect
from tests.support.browser import People, Person, violations

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_keyboard_opens_pages_the_filter_and_a_list_of_keys(people: People) -> None:
    person = await people()
    page = person.page
    await person.log_in()
    await person.see("/")
    await page.keyboard.press("?")
    await expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    await person.picture("keys")
    assert await violations(person) == []
    await page.keyboard.press("Escape")
    await page.keyboard.press("2")
    await page.wait_for_url("**/explore**")
    await page.keyboard.press("/")
    await page.keyboard.type("growth/2?")
    assert await page.get_by_label("Value", exact=True).input_value() == "growth/2?"


async def test_ctrl_k_finds_pages_and_models(people: People) -> None:
    person = await people()
    page = person.page
    await person.log_in()
    await person.see("/budgets")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("gpt-5-mini")
    await expect(page.get_by_role("option", name="gpt-5-mini")).to_be_visible()
    await person.picture("palette")
    assert await violations(person) == []
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/explore?**sku=gpt-5-mini**")
    await page.keyboard.press("Control+k")
    await page.keyboard.type("page prices")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/prices**")
    assert person.complaints == []


async def at_the_search_of_prices(people: People) -> Person:
    """Log in, open Prices and go to its search, by the keyboard."""
    person = await people()
    await person.log_in()
    await person.see("/prices")
    await person.page.keyboard.press("/")
    return person


async def test_the_name_of_a_model_and_enter_open_its_page(people: People) -> None:
    person = await at_the_search_of_prices(people)
    page, keys = person.page, person.page.keyboard
    await expect(page.get_by_label("Model or SKU")).to_be_focused()
    await keys.type("openai gpt-5-mini")
    await keys.press("Enter")
    await page.wait_for_url("**/prices/model?provider=openai&sku=gpt-5-mini")
    await expect(page.get_by_role("heading", name="gpt-5-mini")).to_be_visible()
    assert person.complaints == []


async def test_a_name_of_several_models_lists_them_and_the_keyboard_opens_one(people: People) -> None:
    person = await at_the_search_of_prices(people)
    page, keys = person.page, person.page.keyboard
    await keys.type("gpt-5-mini")
    await keys.press("Enter")
    await expect(page.get_by_role("status")).to_contain_text("matches")
    await expect(page.get_by_label("Model or SKU")).to_be_focused()
    await keys.press("Tab")
    await keys.press("Tab")
    await expect(page.locator(".found a").first).to_be_focused()
    await keys.press("Enter")
    await page.wait_for_url("**/prices/model?**sku=gpt-5-mini")


@pytest.mark.parametrize(
    ("path", "label"), [("/explore", "Value"), ("/events", "Value"), ("/prices", "Model or SKU")]
)
async def test_a_slash_leads_to_the_filter_or_the_search_of_a_page(
    people: People, path: str, label: str
) -> None:
    person = await people()
    await person.log_in()
    await person.see(path)
    await person.page.keyboard.press("/")
    await person.page.keyboard.type("a/b?2")
    field = person.page.get_by_label(label, exact=True)
    await expect(field).to_be_focused()
    await expect(field).to_have_value("a/b?2")


async def test_the_help_is_opened_and_closed_by_its_key(people: People) -> None:
    person = await people()
    page, keys = person.page, person.page.keyboard
    await person.log_in()
    await person.see("/prices")
    heading = page.get_by_role("heading", name="Keyboard shortcuts")
    await keys.press("?")
    await expect(heading).to_be_visible()
    await keys.press("2")  # the list is open: no page is
    await keys.press("?")
    await expect(heading).not_to_be_visible()
    assert page.url.endswith("/prices")
    await keys.press("Control+k")
    await keys.press("?")
    await expect(heading).not_to_be_visible()
    await keys.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
