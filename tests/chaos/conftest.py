"""Stores that may be killed, and a pipeline over them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chaos.rig import Pipeline
from tests.support.chaos.stores import Stores
from tests.support.processes import end_all
from tests.support.system import end_systems


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    made = Stores(tmp_path_factory.mktemp("chaos"))
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    """Kill what a test leaves: services would share the work of the next test's, a system would take its ports."""
    yield
    end_all()
    end_systems()


@pytest.fixture
def pipeline(stores: Stores, tmp_path: Path) -> Pipeline:
    """A pipeline that is up."""
    return Pipeline(stores, tmp_path / "run").start()
