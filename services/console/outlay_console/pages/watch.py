"""Alerts, prices and the quality of the data."""

import asyncio
from datetime import timedelta
from decimal import Decimal

from outlay_console.adapters.books import OPEN
from outlay_console.domain.view import DIMENSIONS, View
from outlay_console.pages.ask import Ask, MissingError
from outlay_console.site import Context
from outlay_reports.money import share

_LOOK_BACK = timedelta(days=30)


async def alerts(ask: Ask) -> Context:
    """Return open alerts, acknowledged ones, and resolved ones."""
    found, words = await asyncio.gather(ask.books.alerts(), ask.books.words(ask.now))
    taken = {target for target, say in words if say == "acknowledged"}
    meant = {target for target, say in words if say == "expected"}
    firing = [alert for alert, stands in found if stands in OPEN and alert.id not in meant]
    acknowledged = [a for a, stands in found if a in firing and (stands == "acknowledged" or a.id in taken)]
    return {
        "open": [alert for alert in firing if alert not in acknowledged],
        "acknowledged": acknowledged,
        "resolved": [alert for alert, _ in found if alert not in firing],
        "words": words,
    }


async def alert(ask: Ask) -> Context:
    """Return one alert with all that is known of it. Raises MissingError."""
    found, words = await asyncio.gather(ask.books.alert(ask.path.get("id", "")), ask.books.words(ask.now))
    if found is None:
        raise MissingError("This alert does not exist")
    told, stands = found
    scope = {
        name: (values,) if isinstance(values, str) else tuple(values)
        for name, values in told.scope.items()
        if name in DIMENSIONS
    }
    day = told.window.astimezone(ask.view.zone).date()
    look = View("custom", day, day, ask.view.zone, ask.view.by, scope)
    said = [words[key] for key in ((told.id, "acknowledged"), (told.id, "expected")) if key in words]
    snoozes = [
        (target, words[target, "snoozed"]) for target in (told.id, told.rule) if (target, "snoozed") in words
    ]
    return {
        "alert": told,
        "state": stands,
        "said": said,
        "snoozes": snoozes,
        "over": stands not in OPEN,
        "may": ask.may,
        "look": look,
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
        "unpriced_share": share(Decimal(sums["unpriced"]), Decimal(sums["events"])) or 0,
        "no_team": share(Decimal(sums["no_team"]), cost) or 0,
        "no_project": share(Decimal(sums["no_project"]), cost) or 0,
        "days": _LOOK_BACK.days,
    }


async def live(ask: Ask) -> Context:
    """Return nothing: the page listens for events."""
    return {"tenant": ask.tenant}
