"""One data set that all tests of consistency ask about."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.consistency.data import BUDGETS, FX, NOW, TENANT, Oracle, catalog, priced, used
from tests.support.consistency.surfaces import System
from tests.support.console_rig import dependencies, make
from tests.support.ledger import write
from tests.support.stack import Stack
from tests.support.stack import stack as stack  # noqa: PLC0414 (a fixture for the tests here)

from outlay.catalog.publish import publish
from outlay_console.adapters.catalog import CatalogView
from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.clock import FakeClock
from outlay_kit.keys import KeyFile
from outlay_pricer.opportunities.search import OpportunityScanner


@pytest.fixture(scope="package")
def system(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    yield from _system(stack, tmp_path_factory.mktemp("consistency"), "consistent", cells=1000)


@pytest.fixture(scope="package")
def folded(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The same, where windows of the rollups name few users, and have the rest as one."""
    yield from _system(stack, tmp_path_factory.mktemp("folded"), "folded", cells=2)


def _system(stack: Stack, folder: Path, database: str, *, cells: int) -> Iterator[System]:
    make(stack, folder, database=database, now=NOW)
    settings = stack.writer.model_copy(update={"database": database})
    content = catalog()
    write(settings, priced(used(), content), cells)
    publish(stack.kafka, content, FakeClock(NOW))
    clickhouse = ClickHouseClient(settings)
    OpportunityScanner(clickhouse, FakeClock(NOW), every=900, most=100_000).turn(content)
    shown = CatalogView(1, NOW, "", None, (), BUDGETS, fx=FX)
    key = KeyFile(folder / "keys.json").create(TENANT, ("read", "admin"), NOW)
    asked = replace(dependencies(stack, settings, folder), catalog=lambda: shown)
    environment = {**stack.environment, "OUTLAY_CLICKHOUSE_DATABASE": database, "OUTLAY_TENANT": TENANT}
    yield System(asked, clickhouse, content, folder / "keys.json", key, environment)
    clickhouse.close()


@pytest.fixture(scope="module", autouse=True)
def stopped_clock() -> Iterator[None]:
    """Stop the clock at NOW, for each file alone: other files may run before the last test of this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("outlay_kit.clock.SystemClock.now", lambda _: NOW)
        yield


@pytest.fixture(scope="package")
def oracle() -> Oracle:
    return Oracle()
