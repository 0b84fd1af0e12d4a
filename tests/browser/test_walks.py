"""What people come for, from the first page to the answer, each in a bounded number of steps. With OUTLAY_PICTURES set
to docs/pictures, the pictures of docs/walks.md are taken again."""

import csv
import io
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.async_api import expect
from tests.support.browser import People, Walk
from tests.support.ledger import cost_event, write

from outlay_kit.clock import SystemClock
from outlay_reports.money import usd

pytestmark = [pytest.mark.stack, pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
SIZE = (1120, 700)


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"))))


async def test_from_the_first_page_to_the_first_event_in_three_steps(people: People) -> None:
    person = await people(size=SIZE)
    page, walk = person.page, Walk(person, "first-event", most=3)
    await person.log_in("starter")
    await person.see("/setup/start")
    await walk.click(page.get_by_role("button", name="Create a key"))
    await expect(page.locator("[data-way]:visible")).to_contain_text("out_live_")
    await expect(page.locator("#first")).to_contain_text("Waiting for your first event")
    walk.step()  # the lines are pasted into a terminal; here the event is in the ledger at once
    now = SystemClock().now()
    event = cost_event("starter", 1, now, "0.5", team="growth")
    event.accepted_ms = int(now.timestamp() * 1000)
    write(person.console.stack.writer.model_copy(update={"database": "browser"}), [event])
    await expect(page.locator("#first")).to_contain_text("Your first event is here.", timeout=15_000)
    await page.locator("#first").scroll_into_view_if_needed()
    # The key of a test that is over opens nothing, and a picture still shows none.
    await page.locator("code").evaluate_all(
        "all => all.forEach(e => e.textContent = e.textContent.replace(/out_live_\\w+/g, 'out_live_…'))"
    )
    await walk.picture("seen")
    await walk.click(page.get_by_role("link", name="See your costs"))
    await expect(page.get_by_role("heading", name="Spend by team")).to_be_visible()
    assert person.complaints == []


async def test_from_an_alert_to_its_cause_and_an_acknowledgement_in_five_steps(people: People) -> None:
    person = await people(size=SIZE)
    page, walk = person.page, Walk(person, "alert", most=5)
    await person.log_in("kim")
    await person.see("/alerts")
    await walk.click(page.get_by_role("link", name="5 times what is usual"))
    await expect(page.get_by_role("heading", name="Actions")).to_be_visible()
    await walk.picture("alert")
    await walk.click(page.get_by_role("link", name="View these costs in Explore"))
    await expect(page.get_by_role("link", name="Remove the filter Team")).to_be_visible()
    await page.locator(".plot canvas").first.wait_for()
    await walk.picture("cause")
    walk.step()
    await page.go_back()
    await walk.fill(page.get_by_label("Note", exact=True), "a launch")
    await walk.click(page.get_by_role("button", name="Acknowledge"))
    await expect(page.locator(".said")).to_contain_text("a launch")
    await page.locator(".said").scroll_into_view_if_needed()
    await walk.picture("acknowledged")
    await page.get_by_role("button", name="Undo").first.click()
    assert person.complaints == []


async def test_the_costs_of_a_month_as_csv_in_three_steps(people: People) -> None:
    person = await people(size=SIZE)
    page, walk = person.page, Walk(person, "month", most=3)
    await person.log_in()
    await person.see("/")
    await walk.click(page.get_by_role("link", name="Explore", exact=True).first)
    now = SystemClock().now()
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    name, start = "This month", month
    if now - month < timedelta(days=1):  # the ledger of this test begins three days ago
        name, start = "Last month", (month - timedelta(days=1)).replace(day=1)
    await walk.click(page.get_by_text(name, exact=True))
    await page.wait_for_url("**month**")
    await page.locator(".plot canvas").first.wait_for()
    await walk.picture("table")
    async with page.expect_download() as download:
        await walk.click(page.get_by_role("link", name="Download CSV"))
    file = await download.value
    assert file.suggested_filename == f"outlay-team-{start:%Y-%m-%d}.csv"
    rows = rows_of(await file.path())
    total = sum((Decimal(row["cost_usd"]) for row in rows), Decimal(0))
    assert len(rows) > 1
    await expect(page.locator("#spend")).to_contain_text(
        usd(total)
    )  # the sum itself: tests/integration/console
    assert person.complaints == []
