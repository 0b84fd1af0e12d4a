"""Alerts, prices and the quality of the data."""

import asyncio
from datetime import timedelta
from decimal import Decimal

from outlay_console.domain.figures import share
from outlay_console.domain.view import DIMENSIONS, View
from outlay_console.pages.ask import Ask, MissingError
from outlay_console.site import Context

_LOOK_BACK = timedelta(days=30)


async def alerts(ask: Ask) -> Context:
    """Return open alerts, those that people have in hand, and those that ended."""
    found, snoozes = await asyncio.gather(ask.books.alerts(), ask.books.snoozes(ask.now))
    return {
        "open": [alert for alert, state in found if state == "firing"],
        "in_hand": [alert for alert, state in found if state == "acknowledged"],
        "ended": [alert for alert, state in found if state == "resolved"],
        "snoozes": snoozes,
    }


async def alert(ask: Ask) -> Context:
    """Return one alert with all that is known of it. Raises MissingError."""
    found = await ask.books.alert(ask.path.get("id", ""))
    if found is None:
        raise MissingError("there is no such alert in your books")
    told, state = found
    snoozes = await ask.books.snoozes(ask.now)
    scope = {
        name: (values,) if isinstance(values, str) else tuple(values)
        for name, values in told.scope.items()
        if name in DIMENSIONS
    }
    day = told.window.astimezone(ask.view.zone).date()
    look = View("custom", day, day, ask.view.zone, ask.view.by, scope)
    return {
        "alert": told,
        "state": state,
        "snooze": snoozes.get(told.id) or snoozes.get(told.rule),
        "look": look,
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
        "conflicts": await ask.books.conflicts(),
        "crowds": await ask.books.crowds(),
        "sums": sums,
        "unpriced_share": share(Decimal(sums["unpriced"]), Decimal(sums["events"])),
        "no_team": share(Decimal(sums["no_team"]), cost),
        "no_project": share(Decimal(sums["no_project"]), cost),
        "days": _LOOK_BACK.days,
    }


async def live(ask: Ask) -> Context:
    """Return nothing: the page listens for events."""
    return {"tenant": ask.tenant}
