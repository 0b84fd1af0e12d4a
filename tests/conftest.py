"""Fixtures of the whole suite."""

import gc
import os
from collections.abc import Iterator

import hypothesis
import pytest
from tests.support.endings import ends
from tests.support.promises import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_terminal_summary,
    tally,
)
from tests.support.stack import stack

from outlay_kit.clock import SystemClock

__all__ = [
    "ends", "pytest_addoption", "pytest_collection_modifyitems", "pytest_terminal_summary", "stack", "tally",
]  # fmt: skip

# The same examples every time, so that a run says something about the change and not about luck;
# HYPOTHESIS_PROFILE=explore looks for new ones.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


_NOW = SystemClock.now


@pytest.fixture(scope="module", autouse=True)
def clock_goes() -> None:
    """Fail a file that begins with a clock that another file stopped: whatever it dates would be wrong."""
    assert SystemClock.now is _NOW, "a test of another file has not given the clock back"


@pytest.fixture(scope="module", autouse=True)
def garbage() -> Iterator[None]:
    """Collect garbage after each file: a socket left open fails the file that left it, not whichever test runs when
    the collector next does."""
    yield
    gc.collect()
