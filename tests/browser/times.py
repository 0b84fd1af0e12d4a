"""Prints how fast the console is on a system that runs: first paint, and an event until a figure moves.

outlay up --ports auto && outlay demo && python tests/browser/times.py
"""

import asyncio
import statistics
import uuid
from collections.abc import Sequence

import httpx
from playwright.async_api import Page, async_playwright
from tests.support.browser import ARGS, chromium, first_paint

from outlay.local.state import LocalState, home_folder, login_links, require_running
from outlay.local.system import create_key
from outlay_kit.clock import SystemClock
from outlay_schemas.tenants import DEMO_TENANT

ROUNDS = 10


async def moved(page: Page, state: LocalState, key: str) -> float:
    """Return the seconds from the request with a new event to the overview's figure of today moving."""
    clock = SystemClock()
    event = {
        "id": str(uuid.uuid4()), "source": "times", "time": clock.now().isoformat(), "team": "growth",
        "kind": "llm", "activity": "inference", "provider": "anthropic", "sku": "claude-sonnet-4-5",
        "usage": {"input_tokens": 100_000},
    }  # fmt: skip
    before = await page.locator('[data-figure="today"]').inner_text()
    changed = "(before) => document.querySelector('[data-figure=\"today\"]').innerText !== before"
    start = clock.monotonic()
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {key}"}) as http:
        (await http.post(f"{state.ingest}/v1/events", json=event)).raise_for_status()
    await page.wait_for_function(changed, arg=before, polling=20)
    return clock.monotonic() - start


def row(what: str, seconds: Sequence[float]) -> str:
    """Return one line of the table of docs/benchmarks.md."""
    return (
        f"| {what} | p50 {statistics.median(seconds):.2f} s, worst of {len(seconds)} {max(seconds):.2f} s |"
    )


async def main() -> None:
    """Look at the overview as the demo's tenant."""
    state, home = require_running(), home_folder()
    key = create_key(home, DEMO_TENANT, SystemClock())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGS)
        page = await browser.new_page()
        await page.goto(login_links(state, home)[DEMO_TENANT])
        await page.wait_for_url(lambda url: "/login" not in url)
        paints: list[float] = []
        for _ in range(ROUNDS):
            await page.goto(state.console, wait_until="load")
            paints.append(await first_paint(page))
        await page.locator("#live", has_text="live").wait_for()
        figures = [await moved(page, state, key) for _ in range(ROUNDS)]
        await browser.close()
    print(row("the overview's first contentful paint", paints))  # noqa: T201
    print(row("event posted → the overview's figure of today moves", figures))  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
