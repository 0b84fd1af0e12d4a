from collections.abc import Iterator

import pytest
from tests.support.system import Cli


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A running system of its own."""
    cli = Cli(tmp_path_factory.mktemp("home"))
    cli("up", "--ports", "auto")
    yield cli
    cli("down")
