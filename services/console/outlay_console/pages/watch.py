"""Alerts, prices and the quality of the data."""

from datetime import timedelta
from decimal import Decimal

from outlay_console.domain.figures import share
from outlay_console.pages.ask import Ask
from outlay_console.site import Context

_LOOK_BACK = timedelta(days=30)


async def alerts(ask: Ask) -> Context:
    """Return open alerts, and those that ended."""
    found = await ask.books.alerts()
    return {
        "open": [alert for alert, state in found if state != "resolved"],
        "ended": [alert for alert, state in found if state == "resolved"],
    }


async def prices(ask: Ask) -> Context:
    """Return what is unpriced, and which books price the rest."""
    return {
        "unpriced": await ask.books.unpriced(ask.now - _LOOK_BACK),
        "catalog": ask.catalog,
        "days": _LOOK_BACK.days,
    }


async def quality(ask: Ask) -> Context:
    """Return how complete and how new the data is."""
    sums = await ask.books.health(ask.now - _LOOK_BACK)
    cost = Decimal(sums["cost"])
    return {
        "fresh": await ask.books.fresh(),
        "lags": ask.lags,
        "letters": await ask.books.letters(),
        "sums": sums,
        "unpriced_share": share(Decimal(sums["unpriced"]), Decimal(sums["events"])),
        "no_team": share(Decimal(sums["no_team"]), cost),
        "no_project": share(Decimal(sums["no_project"]), cost),
        "days": _LOOK_BACK.days,
    }


async def live(ask: Ask) -> Context:
    """Return nothing: the page listens for events."""
    return {"tenant": ask.tenant}
