"""Stores that may be killed, and a pipeline over them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.rig import Pipeline
from tests.support.chaos.stores import Stores


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    made = Stores(tmp_path_factory.mktemp("chaos"))
    yield made
    made.stop()


@pytest.fixture
def pipeline(stores: Stores, tmp_path: Path) -> Pipeline:
    """A pipeline that is up."""
    return Pipeline(stores, tmp_path / "run").start()
