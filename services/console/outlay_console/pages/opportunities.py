"""Opportunities: possible savings from the repricer's newest analysis."""

from datetime import datetime
from typing import Any

from outlay_console.pages.request import Context, PageRequest
from outlay_reports.adapters.savings import monthly_saving, saving_basis
from outlay_reports.money import share
from outlay_schemas.money import PICO, to_pico, to_usd

_LEAST = PICO // 100
"""Smallest saving shown, pico-USD."""


async def opportunities(request: PageRequest) -> Context:
    """Return open opportunities, the largest first, and dismissed ones."""
    saved = await request.rollups.opportunities()
    rows: list[dict[str, Any]] = []
    if saved.since and saved.until:
        rows = [row for one in saved.found if (row := _row(one, saved.since, saved.until))]
    return {
        "saved": saved,
        "basis": saving_basis(saved.since, saved.until) if saved.since and saved.until else "",
        "rows": [row for row in rows if not row["dismissed"]],
        "dismissed": [row for row in rows if row["dismissed"]],
        "may": request.may,
    }


def _row(one: dict[str, Any], since: datetime, until: datetime) -> dict[str, Any] | None:
    """Return a saving with what it comes to in a month, if that is known; None: it is too small."""
    saving = to_pico(one["saving"])
    month = monthly_saving(saving, since, until)
    if (saving if month is None else month) < _LEAST:
        return None
    shown = share(one["saving"], one["cost"]) or 0
    return {**one, "monthly": None if month is None else to_usd(month), "share": shown}
