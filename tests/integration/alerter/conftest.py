import uuid
from collections.abc import Iterator

import pytest
from tests.support.processes import prepare
from tests.support.stack import Stack

from outlay_kit.clickhouse import ClickHouseClient
from outlay_kit.migrator import migrate
from outlay_kit.settings import ClickHouseSettings, KafkaSettings


@pytest.fixture
def house(stack: Stack) -> ClickHouseSettings:
    """A database of the test's own."""
    settings = stack.writer.model_copy(update={"database": f"alerter_{uuid.uuid4().hex[:8]}"})
    migrate(settings)
    return settings


@pytest.fixture
def clickhouse(house: ClickHouseSettings) -> Iterator[ClickHouseClient]:
    clickhouse = ClickHouseClient(house)
    yield clickhouse
    clickhouse.close()


@pytest.fixture
def kafka(stack: Stack) -> KafkaSettings:
    prepare(stack.kafka)
    return stack.kafka
