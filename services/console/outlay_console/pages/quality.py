"""Data quality: how new and how complete the data is."""

from datetime import timedelta

from outlay_console.domain import queries
from outlay_console.pages.request import Context, PageRequest
from outlay_kit.time_ranges import latest
from outlay_reports.money import share
from outlay_reports.range_sums import Selection

_LENGTH = timedelta(days=30)
"""As in Explore, so that both pages show the same total."""
_RECENT = timedelta(hours=1)


async def quality(request: PageRequest) -> Context:
    """Return how complete and how new the data is."""
    rows = request.rollups.rows
    span = latest(_LENGTH, request.now, request.view.zone)
    missing = {name: Selection(span, {name: ("",)}) for name in ("team", "project")}
    sums = await request.rollups.totals({"all": Selection(span), **missing}, request.view.currency)
    total = sums["all"]
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
        "span": span,
        "total": total,
        "unpriced_share": share(total.unpriced, total.events) or 0,
        "missing": {name: (sums[name], share(sums[name].cost, total.cost) or 0) for name in missing},
    }


def after(seconds: float) -> str:
    """Return how long after an event it was accepted; before it, the producer's clock is ahead."""
    size = abs(seconds)
    units = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    length, unit = next((one for one in units if size >= one[0]), units[-1])
    return f"{size / length:.3g} {unit} {'before: its clock is ahead' if seconds < 0 else 'after'}"
