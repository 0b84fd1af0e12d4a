"""A real console process and a real Chromium that looks at it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from playwright.async_api import Browser, BrowserContext, Locator, Page, expect
from tests.support.console_rig import Rig
from tests.support.stack import Stack, environment
from tests.support.stack import stack as stack  # noqa: PLC0414 (a fixture for the tests here)
from tests.support.waiting import PATIENCE

from outlay.embedded.ports import free_port
from outlay.local.system import answers
from outlay_kit.clock import SystemClock

expect.set_options(timeout=5_000 * PATIENCE)

ARGS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]


def save(shot: bytes, path: Path) -> None:
    """Write a picture with the 256 colours that are most like its own: half the bytes, and it looks the same."""
    Image.open(BytesIO(shot)).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


PHONE = (390, 844)


DESK = (1280, 800)
_AXE = Path(__file__).parents[1] / "browser/vendor/axe.min.js"


def chromium() -> str:
    """Return where Chromium is: OUTLAY_CHROMIUM, else on the path. `make browser` installs it on Debian."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("OUTLAY_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    assert found, "no Chromium: run `make browser`, or name one: OUTLAY_CHROMIUM=PATH"
    return found


@dataclass
class Console:
    """A running console and its data."""

    url: str
    rig: Rig
    stack: Stack


def run_console(rig: Rig, stack: Stack, folder: Path) -> Iterator[Console]:
    port, health = free_port(), free_port()
    env = {
        **os.environ,
        **environment(stack.kafka, stack.reader),
        "OUTLAY_CONSOLE_PORT": str(port),
        "OUTLAY_HEALTH_PORT": str(health),
        "OUTLAY_CONSOLE_KEYS_FILE": str(rig.keys_file),
        "OUTLAY_CONSOLE_AUDIT_FILE": str(folder / "audit.ndjson"),
        "OUTLAY_CONSOLE_LOGIN_BURST": "1000",
        "OUTLAY_CONSOLE_PING_SECONDS": "20",
        "OUTLAY_CONSOLE_OPERATOR": "acme",
        "OUTLAY_CONSOLE_WRITER_USER": stack.writer.user,
        "OUTLAY_CONSOLE_WRITER_PASSWORD": stack.writer.password.get_secret_value(),
    }
    clock = SystemClock()
    with (folder / "console.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "outlay.setup"], env=env, stdout=log, stderr=log)
        try:
            deadline = clock.monotonic() + 180
            while not answers(f"http://127.0.0.1:{health}"):
                assert process.poll() is None, (folder / "console.log").read_text("utf-8")
                assert clock.monotonic() < deadline, "the console is not ready after three minutes"
                clock.sleep(0.1)
            yield Console(f"http://127.0.0.1:{port}", rig, stack)
        finally:
            process.terminate()
            process.wait(timeout=20)


async def violations(person: "Person") -> list[str]:
    """Return what axe finds that is serious or critical."""
    await person.page.evaluate(_AXE.read_text("utf-8"))
    found: list[dict[str, Any]] = await person.page.evaluate("axe.run().then((answer) => answer.violations)")
    return [
        f"{v['id']}: {node['target']} {node['failureSummary']}"
        for v in found
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"]
    ]


async def first_paint(page: Page) -> float:
    """Return the seconds from the start of the visit to the first contentful paint, by the browser's own clock."""
    milliseconds: float = await page.evaluate(
        "new Promise((done) => new PerformanceObserver((list) => {"
        "  const [paint] = list.getEntriesByName('first-contentful-paint'); if (paint) done(paint.startTime);"
        "}).observe({ type: 'paint', buffered: true }))"
    )
    return milliseconds / 1000


@dataclass
class Person:
    """Somebody who looks: a window, and every complaint of the browser about our pages."""

    page: Page
    console: Console
    complaints: list[str]
    cookies: dict[tuple[str, str], str]

    async def log_in(self, tenant: str = "acme") -> None:
        """Log in as people do who got a link from the command line; a second time, by the cookie of the first."""
        key = (self.console.url, tenant)
        if key in self.cookies:
            await self.page.context.add_cookies(
                [{"name": "outlay", "value": self.cookies[key], "url": self.console.url}]
            )
            return
        await self.page.goto(f"{self.console.url}/login#key={self.console.rig.keys[tenant]}")
        await self.page.wait_for_url(lambda url: "/login" not in url)
        self.cookies[key] = next(
            c["value"] for c in await self.page.context.cookies() if c["name"] == "outlay"
        )

    async def see(self, path: str) -> None:
        """Go to a page and wait until it is drawn."""
        await self.page.goto(self.console.url + path, wait_until="load")
        if await self.page.locator("[data-chart]").count():
            await self.page.locator(".plot canvas").first.wait_for()

    async def picture(self, name: str) -> None:
        """Keep a picture of the whole page, where OUTLAY_PICTURES says."""
        if folder := os.environ.get("OUTLAY_PICTURES"):
            await self.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


class Walk:
    """Somebody on the way to an answer. Each click, and each field that is filled, is a step."""

    def __init__(self, person: Person, name: str, most: int) -> None:
        """`name`: of its pictures; `most`: how many steps it may take."""
        self._person, self._name, self._most = person, name, most
        self.steps = 0

    def step(self) -> None:
        """Count a step that is taken elsewhere, such as a line pasted into a terminal."""
        self.steps += 1
        assert self.steps <= self._most, f"{self._name} takes more than {self._most} steps"

    async def click(self, what: Locator) -> None:
        """Click on something."""
        self.step()
        await what.click()

    async def fill(self, what: Locator, text: str) -> None:
        """Type into a field."""
        self.step()
        await what.fill(text)

    async def picture(self, part: str) -> None:
        """Keep a picture of the screen, small enough for the docs, where OUTLAY_PICTURES says."""
        if folder := os.environ.get("OUTLAY_PICTURES"):
            path = Path(folder) / f"walk-{self._name}-{part}.png"
            await self._person.page.screenshot(path=path)
            assert path.stat().st_size < 150_000, path


class People:
    """Makes persons, and closes their windows."""

    def __init__(self, browser: Browser, console: Console) -> None:
        self._browser = browser
        self._console = console
        self._contexts: list[BrowserContext] = []

    cookies: ClassVar[dict[tuple[str, str], str]] = {}
    """Of each console and tenant, kept for all tests: a login takes a second."""

    async def __call__(
        self, size: tuple[int, int] = DESK, dark: bool = False, console: Console | None = None
    ) -> Person:
        """Return somebody with a new window of `size`."""
        context = await self._browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if dark else "light"
        )
        context.set_default_timeout(20_000 * PATIENCE)
        self._contexts.append(context)
        page = await context.new_page()
        person = Person(page, console or self._console, [], self.cookies)
        page.on("pageerror", lambda error: person.complaints.append(str(error)))
        page.on("console", lambda m: person.complaints.append(m.text) if m.type == "error" else None)
        return person

    async def close(self) -> None:
        """Close every window."""
        for context in self._contexts:
            await context.close()
