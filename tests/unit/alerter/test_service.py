"""What a batch of rollup windows asks the alerter to evaluate."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from outlay_alerter.changed_minutes import changed_minutes
from outlay_kit.broker import Batch, Record


def window(tenant: str, grain: str = "minute", at: str = "2026-11-24T01:02:00Z") -> bytes:
    return f'{{"tenant":"{tenant}","grain":"{grain}","window":"{at}","version":1,"groups":[]}}'.encode()


@pytest.mark.parametrize(
    "poison",
    [
        b"\xff\x00" * 500_000,
        b"[" * 1_000_000,
        b"{}",
        window("hostile", at="2026-11-24T01:02:00"),
        b"\n" * 9 + b"x",
        window("hostile", at="0001-01-01T00:00:00Z"),
        window("hostile", at="9999-12-31T23:59:00Z"),
    ],
)
def test_a_record_that_is_not_of_windows_is_counted_and_the_others_are_evaluated(poison: bytes) -> None:
    name = "outlay_alerter_unreadable_records_total"
    before = REGISTRY.get_sample_value(name) or 0
    values = [window("a"), poison, window("b") + b"\n" + window("b", "hour")]
    batch = Batch([Record("cost.rollups", 0, n, value) for n, value in enumerate(values)])
    minute = datetime(2026, 11, 24, 1, 2, tzinfo=UTC)
    assert changed_minutes(batch, minute + timedelta(minutes=5)) == {"a": {minute}, "b": {minute}}
    assert REGISTRY.get_sample_value(name) == before + 1


def test_a_day_that_changed_is_evaluated_for_sums_over_months_are_read_from_days() -> None:
    value = b"\n".join((window("a", "hour"), window("a", "day", at="2026-11-24T00:00:00Z")))
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    changed = changed_minutes(Batch([Record("cost.rollups", 0, 0, value)]), now)
    assert changed == {"a": {datetime(2026, 11, 24, tzinfo=UTC)}}
