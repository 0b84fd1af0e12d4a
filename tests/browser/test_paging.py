"""A long table of Explore in a real browser: "More" adds rows, and what is shown adds up to the total."""

from datetime import timedelta
from decimal import Decimal

import pytest
from playwright.async_api import Locator, expect
from tests.support.browser import People, violations
from tests.support.console_rig import Rig
from tests.support.ledger import cost_event, write
from tests.support.stack import Stack

from outlay_kit.clock import SystemClock

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
MODELS = 450


async def amounts(cells: Locator) -> list[Decimal]:
    titles = await cells.evaluate_all("(cells) => cells.map((cell) => cell.title)")
    return [Decimal(title.strip("$").replace(",", "")) for title in titles]


async def test_more_adds_rows_and_if_costs_changed_opens_their_page(
    people: People, rig: Rig, stack: Stack
) -> None:
    writer = stack.writer.model_copy(update={"database": rig.dependencies.settings.clickhouse.database})
    at = SystemClock().now() - timedelta(days=2)
    events = [
        cost_event("globex", 9000 + n, at, f"0.0{n:03}1", sku=f"model-{n}") for n in range(1, MODELS + 1)
    ]
    write(writer, events)
    person = await people()
    page = person.page
    await person.log_in("globex")
    await person.see("/explore?range=7d&by=sku")
    rows, foot = page.locator("table.sortable tbody tr"), page.locator("table.sortable tfoot tr")
    costs, more = rows.locator("td.num:nth-child(2)"), page.get_by_role("link", name="More", exact=True)
    await expect(page.get_by_label("Search the rows shown")).to_be_visible()
    assert await violations(person) == []
    (total,) = await amounts(foot.last.locator("td[title]"))
    await page.locator("table.sortable th button", has_text="Cost").click()
    await page.locator("table.sortable th button", has_text="Cost").click()
    for shown in (200, 400):
        await expect(rows).to_have_count(shown)
        (rest,) = await amounts(foot.first.locator("td[title]"))
        assert sum(await amounts(costs)) + rest == total
        await more.click()
    await expect(more).to_have_count(0)
    found = await amounts(costs)
    assert len(found) > MODELS
    assert found == sorted(found), "rows that come later are sorted as those before"
    assert sum(found) == total
    await expect(page.get_by_label("Search this table")).to_be_visible()

    await person.see("/explore?range=7d&by=sku")
    write(writer, [cost_event("globex", 8999, at, "7", sku="late")])
    await more.click()
    await page.wait_for_url("**after=200**")
    await expect(rows).to_have_count(200)
    await expect(foot.first).to_contain_text("rows 1\N{EN DASH}200")
    assert person.complaints == []
