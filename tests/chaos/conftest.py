"""Stores that may be killed, and a pipeline over them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.rig import Pipeline
from tests.support.chaos.stores import Stores
from tests.support.processes import end_all


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    made = Stores(tmp_path_factory.mktemp("chaos"))
    yield made
    made.stop()


@pytest.fixture
def pipeline(stores: Stores, tmp_path: Path) -> Iterator[Pipeline]:
    """A pipeline that is up; what is left of it in the end is killed."""
    try:
        yield Pipeline(stores, tmp_path / "run").start()
    finally:
        end_all()
