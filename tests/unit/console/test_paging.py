"""The pages of a table add up to its total, to the last digit, however it is cut."""

import asyncio
import re
from collections.abc import Mapping
from decimal import Decimal
from itertools import accumulate
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.console_routes import NOW

from outlay_console.adapters.readers import Readers, TenantReader
from outlay_console.adapters.rollup_reader import RollupReader
from outlay_console.domain.queries import SHOWN, TOTAL
from outlay_console.domain.view import View
from outlay_kit.settings import ClickHouseSettings
from outlay_kit.time_ranges import TimeRange

SPAN = TimeRange(NOW.replace(hour=0, minute=0), NOW.replace(minute=0))
_AMOUNT = st.integers(0, 10**20).map(lambda pico: Decimal(pico) / 10**12)
_ROWS = st.lists(
    st.tuples(_AMOUNT, _AMOUNT, st.integers(1, 9), st.integers(0, 3), st.integers(0, 3)),
    min_size=1,
    max_size=12,
)


class SlicedReaders(Readers):
    """Has some rows, and answers with those that a statement cuts out, as the engine does."""

    def __init__(self, rows: list[tuple[Any, ...]]) -> None:
        super().__init__(ClickHouseSettings(), 1, 1, ping_seconds=1)
        rows = sorted(rows, key=lambda row: (-row[0], -row[1]))
        now, before, events, unpriced, unpriced_before = (sum(column) for column in zip(*rows, strict=True))
        whole = dict(zip(TOTAL, (now, events, unpriced, 0, Decimal(0), now, 0), strict=True))
        totals = {f"all_{name}": value for name, value in whole.items()}
        totals |= {"all_before": before, "all_unpriced_before": unpriced_before, "all_rows": len(rows)}
        sums = accumulate(rows, lambda one, other: tuple(a + b for a, b in zip(one, other, strict=True)))
        self.rows = [
            {"dimension": "", "value": f"{n:02}", **dict(zip(SHOWN, row, strict=True)), **totals}
            | {f"so_far_{name}": value for name, value in zip(SHOWN, so_far, strict=True)}
            for n, (row, so_far) in enumerate(zip(rows, sums, strict=True))
        ]

    async def run(self, sql: str, bound: Mapping[str, object]) -> list[dict[str, Any]]:
        assert bound["tenant"] == "acme"
        cut = re.search(r"LIMIT (\d+) OFFSET (\d+) BY dimension$", sql)
        assert cut is not None
        assert ("so_far_now" in sql) == (cut[2] != "0")
        return self.rows[int(cut[2]) :][: int(cut[1])]


@given(_ROWS, st.integers(1, 5))
def test_the_rows_before_those_of_a_page_and_the_rest_are_the_total(
    rows: list[tuple[Any, ...]], size: int
) -> None:
    rollups = RollupReader(TenantReader(SlicedReaders(rows), "acme"))
    shown: list[tuple[Any, ...]] = []
    while len(shown) < len(rows):
        after = len(shown)
        found = asyncio.run(rollups.breakdown(View(), (SPAN, SPAN.before), limit=size, after=after))[""]
        parts = [
            *([found.earlier] if found.earlier else []),
            *found.rows,
            *([found.rest] if found.rest else []),
        ]
        for name in ("rows", *SHOWN):
            assert sum(getattr(part, name) for part in parts) == getattr(found.whole, name), name
        for n, name in enumerate(SHOWN):
            earlier = getattr(found.earlier, name) if found.earlier else 0
            assert earlier == sum(row[n] for row in shown), "what the pages before showed"
        shown += [tuple(getattr(row, name) for name in SHOWN) for row in found.rows]
        assert (found.earlier is None) == (after == 0)
        assert (found.rest is None) == (len(shown) == len(rows))
    assert sorted(shown) == sorted(rows)
    past = asyncio.run(rollups.breakdown(View(), (SPAN, SPAN.before), limit=size, after=len(rows)))[""]
    assert past.rows == []
