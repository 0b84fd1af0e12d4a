import pytest
from tests.integration.console.rig import Rig, make
from tests.stack import Stack
from tests.stack import stack as stack  # noqa: PLC0414 (a fixture for the tests here)


@pytest.fixture(scope="session")
def rig(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return make(stack, tmp_path_factory.mktemp("console"))
