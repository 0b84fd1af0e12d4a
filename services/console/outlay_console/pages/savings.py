"""What could be saved, as the repricer found it when it looked last."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from outlay_console.pages.ask import Ask
from outlay_console.site import Context
from outlay_reports.money import share

_MONTH = timedelta(days=30)
_LEAST = Decimal("0.01")
"""USD a month below which nobody changes anything."""


async def opportunities(ask: Ask) -> Context:
    """Return what could be saved, the most first, and what somebody did not want."""
    saved = await ask.books.opportunities()
    times = _MONTH / (saved.until - saved.since) if saved.since and saved.until else 1.0
    month = Decimal(str(times))
    rows: list[dict[str, Any]] = [
        {**one, "monthly": one["saving"] * month, "share": share(one["saving"], one["cost"]) or 0}
        for one in saved.found
    ]
    large = [row for row in rows if row["monthly"] >= _LEAST]
    return {
        "saved": saved,
        "rows": [row for row in large if not row["dismissed"]],
        "dismissed": [row for row in large if row["dismissed"]],
        "may": ask.may,
    }
