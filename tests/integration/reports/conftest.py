"""The real engine, its tables made once."""

import pytest
from tests.support.stack import Stack
from tests.support.stack import stack as stack  # noqa: PLC0414 (a fixture for the tests here)

from outlay_kit.migrator import migrate


@pytest.fixture(scope="session")
def ledger_stack(stack: Stack) -> Stack:
    migrate(stack.writer)
    return stack
