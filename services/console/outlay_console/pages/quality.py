"""Data quality: how new and how complete the data is."""

from datetime import timedelta
from decimal import Decimal

from outlay_console.domain import queries
from outlay_console.pages.request import Context, PageRequest
from outlay_reports.money import share

_LOOK_BACK = timedelta(days=30)
_RECENT = timedelta(hours=1)


async def quality(request: PageRequest) -> Context:
    """Return how complete and how new the data is."""
    rows = request.rollups.rows
    (sums,) = await rows(queries.HEALTH, request.now - _LOOK_BACK)
    cost = Decimal(sums["cost"])
    return {
        "fresh": await request.rollups.fresh(),
        "backlog": await request.deps.consumer_lag.read(),
        "dead_letters": await rows(queries.DEAD_LETTERS),
        "conflicts": await rows(queries.CONFLICTS),
        "skews": [
            row | {"typical": after(row["typical"]), "least": after(row["least"])}
            for row in await rows(queries.CLOCK_SKEW, request.now - _RECENT)
        ],
        "high_cardinality": await rows(queries.HIGH_CARDINALITY),
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
