from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.aggregator_system import System
from tests.support.fake_broker import FakeBroker

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings


@pytest.fixture(scope="session")
def engine_settings(tmp_path_factory: pytest.TempPathFactory) -> ClickHouseSettings:
    """The engine in this process; one data folder a process is all that it allows."""
    folder: Path = tmp_path_factory.mktemp("engine")
    settings = ClickHouseSettings(url=f"chdb://{folder}", database="ledger")
    migrate(settings)
    return settings


@pytest.fixture(scope="session")
def clickhouse(engine_settings: ClickHouseSettings) -> Iterator[ClickHouseClient]:
    clickhouse = ClickHouseClient(engine_settings)
    for table in ("ledger", "rollup_minute", "rollup_hour", "rollup_day"):
        clickhouse.command(f"SYSTEM STOP MERGES {table}")  # readers must be right while parts wait
    yield clickhouse
    clickhouse.close()


@pytest.fixture
def system(clickhouse: ClickHouseClient) -> System:
    return System(clickhouse, FakeBroker())
