"""How tests wait for what happens in other threads and processes."""

import os
import time
from collections.abc import Callable

PATIENCE = float(os.environ.get("OUTLAY_TEST_PATIENCE", "3"))
"""By how much a busy machine may be slower than the quiet one of which tests name the seconds."""


def until(true: Callable[[], object], seconds: float = 30, what: str = "it") -> None:
    """Wait until `true()`."""
    deadline = time.monotonic() + seconds * PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds:g} s times {PATIENCE:g}"
        time.sleep(0.05)
