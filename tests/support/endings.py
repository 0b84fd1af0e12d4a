"""What tests start is killed when they end, and nothing else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

_kills: list[Callable[[], object]] = []


def started(kill: Callable[[], object]) -> None:
    """Note how something that was started is killed, whether it has ended or not."""
    _kills.append(kill)


@contextmanager
def ending() -> Iterator[None]:
    """Kill at the end what was started meanwhile. What ran before it is left alone: other tests share it."""
    before = len(_kills)
    try:
        yield
    finally:
        while len(_kills) > before:
            _kills.pop()()


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    """Kill what a test leaves: services would share the work of the next test's, a system would take its ports."""
    with ending():
        yield
