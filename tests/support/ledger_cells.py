"""Small makers for cells of the ledger."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from outlay_kit.time_ranges import TimeRange
from outlay_reports.cost_query import Cell, CostQuery, Sums
from outlay_reports.periods import Unit

START = datetime(2026, 11, 1, tzinfo=UTC)
END = datetime(2026, 12, 1, tzinfo=UTC)


def sums(usd: str, events: int = 1, unpriced: int = 0, **usage: int) -> Sums:
    pico = int(Decimal(usd) * 10**12)
    used = {meter: Decimal(quantity) for meter, quantity in usage.items()}
    return Sums(pico, events, unpriced, used, beside=pico)


def cell(
    *keys: str, usd: str = "1", events: int = 1, unpriced: int = 0, bucket: int = 0, **usage: int
) -> Cell:
    return Cell(bucket, keys, sums(usd, events, unpriced, **usage))


def question(*by: str, unit: Unit | None = None, zone: str = "UTC") -> CostQuery:
    return CostQuery(TimeRange(START, END), ZoneInfo(zone), by, unit=unit)
