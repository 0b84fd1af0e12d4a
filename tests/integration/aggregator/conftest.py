from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.aggregator.books_fixtures import World

from outlay_kit.fakes import FakeBroker
from outlay_kit.migrator import migrate
from outlay_kit.settings import WarehouseSettings
from outlay_kit.warehouse import Warehouse


@pytest.fixture(scope="session")
def engine_settings(tmp_path_factory: pytest.TempPathFactory) -> WarehouseSettings:
    """The engine in this process; one data folder a process is all that it allows."""
    folder: Path = tmp_path_factory.mktemp("engine")
    settings = WarehouseSettings(url=f"chdb://{folder}", database="books")
    migrate(settings)
    return settings


@pytest.fixture(scope="session")
def warehouse(engine_settings: WarehouseSettings) -> Iterator[Warehouse]:
    warehouse = Warehouse(engine_settings)
    for table in ("ledger", "rollup_minute", "rollup_hour", "rollup_day"):
        warehouse.command(f"SYSTEM STOP MERGES {table}")  # readers must be right while parts wait
    yield warehouse
    warehouse.close()


@pytest.fixture
def world(warehouse: Warehouse) -> World:
    return World(warehouse, FakeBroker())
