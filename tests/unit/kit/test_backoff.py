"""The one loop that waits for what is unavailable."""

from contextlib import nullcontext
from datetime import UTC, datetime
from math import inf

import pytest

from outlay_kit.backoff import Backoff, retry
from outlay_kit.clock import FakeClock
from outlay_kit.errors import Refused, Retryable
from outlay_sdk import sender

START = datetime(2026, 11, 24, tzinfo=UTC)


class Flaky:
    """Fails a number of times, then returns 7."""

    def __init__(self, failures: int, asked: float | None = None) -> None:
        self.left, self.asked, self.calls = failures, asked, 0

    def __call__(self) -> int:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise Retryable("away", self.asked)
        return 7


def test_an_action_is_repeated_until_it_returns() -> None:
    clock, action = FakeClock(START), Flaky(3)
    assert retry(action, clock, Backoff(base=1, most=2)) == 7
    assert action.calls == 4
    assert 0.5 + 1 + 1 <= clock.monotonic() <= 1 + 2 + 2


def test_the_wait_is_never_shorter_than_the_other_side_asked_for() -> None:
    clock = FakeClock(START)
    retry(Flaky(2, asked=10), clock)
    assert clock.monotonic() == 20


def test_patience_ends_with_the_last_error_before_a_wait_that_would_be_too_long() -> None:
    clock, action = FakeClock(START), Flaky(100, asked=4)
    with pytest.raises(Retryable, match="away"):
        retry(action, clock, patience=10)
    assert (action.calls, clock.monotonic()) == (3, 8)


def test_another_error_is_not_repeated() -> None:
    clock = FakeClock(START)

    def bug() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        retry(bug, clock)
    assert clock.monotonic() == 0


@pytest.mark.parametrize(("patience", "calls"), [(60.0, 1), (inf, 3)])
def test_a_command_ends_at_once_where_a_store_refuses_it_and_a_service_keeps_trying(
    patience: float, calls: int
) -> None:
    made = 0

    def refused() -> int:
        nonlocal made
        made += 1
        if made < 3:
            raise Refused("password")
        return made

    with nullcontext() if patience == inf else pytest.raises(Refused):
        retry(refused, FakeClock(START), patience=patience)
    assert made == calls


@pytest.mark.parametrize("attempt", [0, 1, 5, 7, 8, 40])
@pytest.mark.parametrize("asked", [0.0, 3.0, 100.0])
def test_the_sdk_which_imports_nothing_waits_the_same(attempt: int, asked: float) -> None:
    for jitter in (0.0, 0.3, 1.0):
        ours = Backoff(most=30.0).seconds(attempt, asked, jitter)
        assert sender.backoff(attempt, asked, jitter) == ours
