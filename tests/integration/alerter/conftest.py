import uuid
from collections.abc import Iterator

import pytest
from tests.processes import end_all, prepare
from tests.stack import Stack

from outlay_kit.migrator import migrate
from outlay_kit.settings import KafkaSettings, WarehouseSettings
from outlay_kit.warehouse import Warehouse


@pytest.fixture
def house(stack: Stack) -> WarehouseSettings:
    """A database of the test's own."""
    settings = stack.warehouse.model_copy(update={"database": f"alerter_{uuid.uuid4().hex[:8]}"})
    migrate(settings)
    return settings


@pytest.fixture
def warehouse(house: WarehouseSettings) -> Iterator[Warehouse]:
    warehouse = Warehouse(house)
    yield warehouse
    warehouse.close()


@pytest.fixture
def kafka(stack: Stack) -> KafkaSettings:
    prepare(stack.kafka)
    return stack.kafka


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    yield
    end_all()
