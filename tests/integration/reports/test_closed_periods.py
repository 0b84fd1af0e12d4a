"""A closing is kept as it was sent, once, however often it is written."""

from datetime import UTC, datetime

import pytest
from tests.support.stack import Stack

from outlay_kit.clickhouse import ClickHouseClient
from outlay_reports.adapters.closed_periods import ClosedPeriods
from outlay_reports.chargeback import OWN, Closing, Line

pytestmark = pytest.mark.stack

LINES = (
    Line('büro, "x"', OWN, ("team", "openai"), 123_456_789_012_345_678, 3, 1),
    Line("", OWN, ("", ""), 1, 1, 0),
)


def test_a_closing_comes_back_as_it_was(ledger_stack: Stack) -> None:
    writer, reader = ClickHouseClient(ledger_stack.writer), ClickHouseClient(ledger_stack.reader)
    first = Closing(1, datetime(2026, 12, 1, 9, 30, tzinfo=UTC), "ada", "agreed", LINES)
    second = Closing(2, datetime(2026, 12, 2, 9, 30, tzinfo=UTC), "ada", "", LINES[:1])
    for closing in (first, second, first):
        ClosedPeriods(writer, "closings").add("2026-11", "Europe/Berlin", "team", closing)
    assert ClosedPeriods(reader, "closings").read("2026-11", "Europe/Berlin") == [first, second]
    assert ClosedPeriods(reader, "closings").read("2026-11", "UTC") == []
    assert ClosedPeriods(reader, "another").read("2026-11", "Europe/Berlin") == []
    writer.close()
    reader.close()
