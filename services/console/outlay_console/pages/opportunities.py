"""Opportunities: possible savings from the repricer's newest analysis."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from outlay_console.adapters.rollup_reader import Savings
from outlay_console.domain.list_page import page_of
from outlay_console.pages.request import Context, PageRequest
from outlay_reports.money import share
from outlay_reports.savings import (
    CLOSED,
    EFFORTS,
    STATUSES,
    distinct_savings,
    monthly_saving,
    saving_basis,
)
from outlay_schemas.currency import Currency
from outlay_schemas.money import PICO, to_pico, to_usd

ROWS = 50
"""Opportunities of a page, and of those that are closed."""
_LEAST = PICO // 100
"""Smallest saving shown, pico-USD."""


async def opportunities(request: PageRequest) -> Context:
    """Return open and planned opportunities, the largest first, what they save together, and closed ones."""
    saved = await request.rollups.opportunities()
    if saved.looked:  # sums of many days: as of the analysis
        saved = in_currency(saved, request.view.currency, saved.looked)
    rows: list[dict[str, Any]] = []
    if saved.since and saved.until:
        rows = [row for one in saved.found if (row := _row(one, saved.since, saved.until))]
    still = [row for row in rows if row["status"] not in CLOSED]
    closed = [row for row in rows if row["status"] in CLOSED]
    together = distinct_savings(
        (one["provider"], one["sku"], one["recommendation"], to_pico(one["saving"]))
        for one in saved.found
        if one["status"] not in CLOSED
    )
    month = monthly_saving(together, saved.since, saved.until) if saved.since and saved.until else None
    return {
        "saved": saved,
        "together": to_usd(together),
        "monthly": None if month is None else to_usd(month),
        "statuses": STATUSES,
        "efforts": EFFORTS,
        "basis": saving_basis(saved.since, saved.until) if saved.since and saved.until else "",
        "page": page_of(still, request.after, ROWS, "the largest first"),
        "closed": closed[:ROWS],
        "closed_count": len(closed),
        "may": request.may,
    }


def in_currency(saved: Savings, currency: Currency, at: datetime) -> Savings:
    """Return savings in a currency, at the rate of a time. Raises NoRateError."""
    amounts = ("saving", "cost")
    found = [one | {name: currency.convert(one[name], at) for name in amounts} for one in saved.found]
    return replace(saved, cached=currency.convert(saved.cached, at), found=found)


def _row(one: dict[str, Any], since: datetime, until: datetime) -> dict[str, Any] | None:
    """Return a saving with what it comes to in a month, if that is known; None: it is too small."""
    saving = to_pico(one["saving"])
    month = monthly_saving(saving, since, until)
    if (saving if month is None else month) < _LEAST:
        return None
    shown = share(one["saving"], one["cost"]) or 0
    return {**one, "monthly": None if month is None else to_usd(month), "share": shown}
