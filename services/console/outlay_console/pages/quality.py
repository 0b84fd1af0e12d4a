"""Data quality: how new and how complete the data is."""

from datetime import timedelta
from decimal import Decimal

from outlay_console.pages.request import PageRequest
from outlay_console.templating import Context
from outlay_reports.money import share

_LOOK_BACK = timedelta(days=30)
_RECENT = timedelta(hours=1)


async def quality(request: PageRequest) -> Context:
    """Return how complete and how new the data is."""
    sums = await request.rollups.health(request.now - _LOOK_BACK)
    cost = Decimal(sums["cost"])
    return {
        "fresh": await request.rollups.fresh(),
        "backlog": request.consumer_lag,
        "dead_letters": await request.rollups.dead_letters(),
        "conflicts": await request.rollups.conflicts(),
        "skews": [
            row | {"typical": after(row["typical"]), "least": after(row["least"])}
            for row in await request.rollups.clock_skew(request.now - _RECENT)
        ],
        "high_cardinality": await request.rollups.high_cardinality(),
        "sums": sums,
        "unpriced_share": share(Decimal(sums["unpriced"]), Decimal(sums["events"])) or 0,
        "no_team": share(Decimal(sums["no_team"]), cost) or 0,
        "no_project": share(Decimal(sums["no_project"]), cost) or 0,
        "days": _LOOK_BACK.days,
    }


def after(seconds: float) -> str:
    """Return how long after an event it was accepted; before it, the producer's clock is ahead."""
    size = abs(seconds)
    units = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    length, unit = next((one for one in units if size >= one[0]), units[-1])
    return f"{size / length:.3g} {unit} {'before: its clock is ahead' if seconds < 0 else 'after'}"
