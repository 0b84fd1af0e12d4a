import pytest
from tests.support.console_rig import Rig, make
from tests.support.stack import Stack
from tests.support.stack import stack as stack  # noqa: PLC0414 (a fixture for the tests here)


@pytest.fixture(scope="session")
def rig(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return make(stack, tmp_path_factory.mktemp("console"))
