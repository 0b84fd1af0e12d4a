"""Re-pricing waits for its revisions, and sends again what a pricer priced by the catalog before."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from outlay.catalog.reprice import arrived
from outlay_kit.clock import FakeClock
from outlay_pricer.ledger import LedgerReader, Selection

START = datetime(2026, 11, 30, tzinfo=UTC)


class Ledger(LedgerReader):
    """Has so many events of an older revision, by the seconds since the start."""

    def __init__(self, clock: FakeClock, left: Callable[[float], int]) -> None:
        self.clock, self.left, self.sent_again = clock, left, list[float]()

    @property
    def seconds(self) -> float:
        return (self.clock.now() - START).total_seconds()

    def count(self, selection: Selection) -> int:
        return self.left(self.seconds)

    def arrived(self, patience: float = 120) -> bool:
        return arrived(
            self, Selection(), before=32, sent=7, clock=self.clock, patience=patience,
            again=lambda: self.sent_again.append(self.seconds),
        )  # fmt: skip


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


def test_what_was_priced_by_the_catalog_before_is_sent_again(clock: FakeClock) -> None:
    ledger = Ledger(clock, lambda _: 25 if ledger.sent_again else 32)
    assert ledger.arrived()
    (at,) = ledger.sent_again
    assert 20 < at < 22


def test_what_arrives_slowly_is_not_sent_again(clock: FakeClock) -> None:
    ledger = Ledger(clock, lambda seconds: 32 - int(seconds // 15))
    assert ledger.arrived()
    assert not ledger.sent_again
    assert ledger.seconds > 100


def test_it_gives_up_when_its_patience_ends_and_has_tried_meanwhile(clock: FakeClock) -> None:
    ledger = Ledger(clock, lambda _: 32)
    assert not ledger.arrived(patience=70)
    assert len(ledger.sent_again) == 3
    assert 70 < ledger.seconds < 72
