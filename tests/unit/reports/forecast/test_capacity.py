"""GPU capacity counts GPU seconds, and machines by the GPUs that the price books give them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import cast
from zoneinfo import ZoneInfo

import pytest

from outlay.catalog import load_default
from outlay_kit.time_ranges import TimeRange
from outlay_reports.adapters.cost_reader import CostReader
from outlay_reports.cost_query import Cell, CostQuery, Sums
from outlay_reports.forecast.summary import full_table, gpu_seconds, gpus_of

START = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 24
NOW = START + timedelta(days=DAYS)
DAY = 86_400
PRICE_BOOKS = load_default().price_books


class Ledger:
    """Days of use: two p5.48xlarge for half of each day, one g5.xlarge, and one GPU of one's own, all day."""

    USES: Mapping[tuple[str, str], Mapping[str, Decimal]] = {
        ("aws", "p5.48xlarge"): {"compute_seconds": Decimal(DAY)},
        ("aws", "g5.xlarge"): {"compute_seconds": Decimal(DAY)},
        ("aws", "m5.xlarge"): {"compute_seconds": Decimal(DAY)},
        ("own", "h100"): {"gpu_seconds": Decimal(DAY)},
    }

    def extent(self, tenants: object) -> TimeRange:
        return TimeRange(START, NOW)

    def cells(self, question: CostQuery) -> list[Cell]:
        found = []
        for bucket in range(len(question.bounds) - 1):
            if question.by:
                found += [Cell(bucket, keys, Sums(1, usage=dict(used))) for keys, used in self.USES.items()]
                continue
            whole: dict[str, Decimal] = {}
            for used in self.USES.values():
                for meter, quantity in used.items():
                    whole[meter] = whole.get(meter, Decimal(0)) + quantity
            found.append(Cell(bucket, (), Sums(4, usage=whole)))
        return found


QUESTION = CostQuery(TimeRange(START, NOW), ZoneInfo("UTC"))


def test_machines_count_by_their_gpus() -> None:
    found, machines = gpu_seconds(cast("CostReader", Ledger()), QUESTION, NOW, PRICE_BOOKS)
    assert set(found.values[0]) == {(8 + 1 + 1) * DAY}
    assert machines == ["g5.xlarge (1 GPU)", "p5.48xlarge (8 GPUs)"]


def test_the_sheet_shows_gpus_and_what_counted() -> None:
    amount = 16.0 * DAY
    sheet = full_table(
        cast("CostReader", Ledger()), QUESTION, NOW, "gpu_seconds", amount, gpus=16, price_books=PRICE_BOOKS
    )
    assert sheet.rows[0].values == ("level", "GPUs used now", "10.00")
    assert sheet.notes[-1] == "counted with it: seconds of g5.xlarge (1 GPU), p5.48xlarge (8 GPUs)"
    alone = full_table(cast("CostReader", Ledger()), QUESTION, NOW, "gpu_seconds", amount, gpus=16)
    assert alone.rows[0].values == ("level", "GPUs used now", "1.00")


@pytest.mark.parametrize(
    ("provider", "sku", "gpus"),
    [
        ("aws", "p5.48xlarge", 8), ("AWS", "P5.48xlarge", 8), ("aws", "p4d.24xlarge", 8), ("aws", "g6.12xlarge", 4),
        ("azure", "Standard_NC80adis_H100_v5", 2), ("gcp", "a2-megagpu-16g", 16), ("aws", "m5.xlarge", 0),
        ("aws", "inf2.xlarge", 0), ("gcp", "p5.48xlarge", 0), ("own", "h100", 0),
    ],
)  # fmt: skip
def test_the_shipped_price_books_know_the_gpus_of_machines(provider: str, sku: str, gpus: int) -> None:
    assert gpus_of(PRICE_BOOKS, provider, sku) == gpus
