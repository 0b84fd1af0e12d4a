"""Takes the pictures of the console that the documentation shows, from a system that runs and played the demo.

outlay up --ports auto && outlay demo && python -m tests.browser.picture docs/pictures
"""

import asyncio
import sys
from pathlib import Path

from playwright.async_api import async_playwright
from tests.support.browser import ARGS, chromium, save

from outlay.local.state import home_folder, login_links, require_running
from outlay_schemas.tenants import DEMO_TENANT

SHOTS = {"console": ("/", 1280, 1010), "console-event": ("", 1280, 640)}


async def take(folder: Path) -> None:
    """Log in as the demo's tenant; write console.png and console-event.png."""
    state = require_running()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGS)
        for name, (path, width, height) in SHOTS.items():
            context = await browser.new_context(
                viewport={"width": width, "height": height}, device_scale_factor=1.5, color_scheme="light"
            )
            page = await context.new_page()
            await page.goto(login_links(state, home_folder())[DEMO_TENANT])
            await page.wait_for_url(lambda url: "/login" not in url)
            if not path:
                await page.goto(f"{state.console}/events?range=3h&sku=claude-sonnet-4-5")
                await page.locator("tbody a").first.click()
                await page.get_by_role("heading", name="How the cost is calculated").wait_for()
            await page.wait_for_timeout(1500)
            save(await page.screenshot(), folder / f"{name}.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1])))
