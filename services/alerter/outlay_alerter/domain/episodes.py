"""A spike that lasts is one alert: it keeps the window in which it began."""

from collections.abc import Sequence
from datetime import datetime

from outlay_alerter.domain.spikes import HISTORY, finding, verdict_of
from outlay_alerter.domain.states import Finding, Key
from outlay_alerter.domain.watches import Scope, SpendSpike
from outlay_kit.spans import grain_length
from outlay_schemas.events import Grain

LOOK_BACK = 3
"""How many of the newest windows are judged: older ones are history, and a backfill alarms nobody."""

LEVEL = "spike"


def reach(grain: Grain) -> int:
    """Return how many windows one evaluation reads; of them, those since the tenant's first are history."""
    return HISTORY[grain] + LOOK_BACK


def findings(
    rule: SpendSpike,
    scope: Scope,
    series: Sequence[int],
    newest: datetime,
    begun: datetime | None,
) -> list[Finding]:
    """Judge the last windows of a series that ends with the window starting at `newest`.

    `begun`: the window under which this scope fires already.
    The newest window is still filling: it can fire, but only a window that is over can resolve.
    """
    length = grain_length(rule.grain)
    found: dict[datetime, Finding] = {}
    for back in range(min(LOOK_BACK, len(series)) - 1, -1, -1):
        window, place = newest - length * back, len(series) - 1 - back
        actual = series[place]
        verdict = verdict_of(rule, series[:place], actual)
        if verdict.outcome == "spike":
            begun = begun or window
            key = Key(rule.tenant, rule.id, scope, begun, LEVEL)
            found[begun] = finding(rule, key, verdict, actual)
        elif begun is not None and begun <= window and back > 0:
            key = Key(rule.tenant, rule.id, scope, begun, LEVEL)
            found[begun] = finding(rule, key, verdict, actual)
            if not rule.calm:
                begun = None  # else what comes back before it was calm for long enough is the same alert
    return list(found.values())
