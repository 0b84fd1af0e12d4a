"""One data set that all tests of consistency ask about."""

from collections.abc import Iterator

import pytest
from tests.support.consistency.data import NOW, Oracle
from tests.support.consistency.surfaces import System
from tests.support.consistency.systems import made
from tests.support.stack import Stack
from tests.support.stack import stack as stack  # noqa: PLC0414 (a fixture for the tests here)


@pytest.fixture(scope="package")
def system(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    yield from made(stack, tmp_path_factory.mktemp("consistency"), "consistent", cells=1000)


@pytest.fixture(scope="package")
def folded(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The same, where windows of the rollups name few users, and have the rest as one."""
    yield from made(stack, tmp_path_factory.mktemp("folded"), "folded", cells=2)


@pytest.fixture(scope="module", autouse=True)
def stopped_clock() -> Iterator[None]:
    """Stop the clock at NOW, for each file alone: other files may run before the last test of this folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("outlay_kit.clock.SystemClock.now", lambda _: NOW)
        yield


@pytest.fixture(scope="package")
def oracle() -> Oracle:
    return Oracle()
