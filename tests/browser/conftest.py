"""A real console process over the real stores, and a real Chromium."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from tests.support.browser import ARGS, Console, People, chromium, run_console
from tests.support.console_rig import BUDGETS, Rig, make
from tests.support.stack import Stack
from tests.support.stack import stack as stack  # noqa: PLC0414 (a fixture for the tests here)

from outlay.catalog import load_default
from outlay.catalog.publish import publish
from outlay_kit.clock import SystemClock


@pytest.fixture(scope="session")
def rig(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    clock = SystemClock()
    made = make(stack, tmp_path_factory.mktemp("browser"), "browser", clock.now())
    publish(stack.kafka, load_default().model_copy(update={"budgets": BUDGETS}), clock)
    return made


@pytest.fixture(scope="session")
def console(rig: Rig, stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    reader = rig.dependencies.settings.clickhouse
    yield from run_console(rig, replace(stack, reader=reader), tmp_path_factory.mktemp("console"))


@pytest.fixture
def lost(rig: Rig, stack: Stack, tmp_path: Path) -> Iterator[Console]:
    """A console whose ClickHouse is away."""
    nowhere = stack.reader.model_copy(update={"url": "http://127.0.0.1:9"})
    yield from run_console(rig, replace(stack, reader=nowhere), tmp_path)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=ARGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def people(browser: Browser, console: Console) -> AsyncIterator[People]:
    people = People(browser, console)
    yield people
    await people.close()
