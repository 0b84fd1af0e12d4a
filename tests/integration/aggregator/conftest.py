from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.aggregator_system import System
from tests.support.fake_broker import FakeBroker

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings

CLUSTER = """<clickhouse><tcp_port>9000</tcp_port><remote_servers><c><shard><replica>
  <host>127.0.0.1</host><port>9000</port>
</replica></shard></c></remote_servers></clickhouse>
"""
"""The engine takes the shard of its own address and port for itself, and opens no port."""


@pytest.fixture(scope="session")
def engine_settings(tmp_path_factory: pytest.TempPathFactory) -> ClickHouseSettings:
    """The engine in this process, which allows one data folder a process. It is the one node of a cluster `c`."""
    folder: Path = tmp_path_factory.mktemp("engine")
    config = tmp_path_factory.mktemp("config") / "config.xml"
    config.write_text(CLUSTER)
    settings = ClickHouseSettings(url=f"chdb://{folder}?config-file={config}", database="ledger")
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
