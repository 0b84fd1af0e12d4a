"""A spike that lasts is one alert: it keeps the window in which it began."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from outlay_alerter.domain.spikes import finding, verdict_of
from outlay_alerter.domain.states import Finding, Key, Known
from outlay_alerter.domain.watches import Scope, SpendSpike
from outlay_kit.spans import grain_length

LOOK_BACK = 3
"""How many of the newest windows are judged: older ones are history, and a backfill alarms nobody."""

LEVEL = "spike"


def scope_of(rule: SpendSpike, values: Sequence[str]) -> Scope:
    """Return the scope of one combination of the rule's `by` dimensions, within the rule's own."""
    return {**rule.scope, **{name: (value,) for name, value in zip(rule.by, values, strict=True)}}


def findings(
    rule: SpendSpike,
    scope: Scope,
    series: Sequence[int],
    newest: datetime,
    open_alerts: Mapping[str, Known],
) -> list[Finding]:
    """Judge the last windows of a series that ends with the window starting at `newest`.

    The newest window is still filling: it can fire, but only a window that is over can resolve.
    """
    length = grain_length(rule.grain)
    found: dict[datetime, Finding] = {}
    begun: datetime | None = _open_since(rule, scope, newest, open_alerts)
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
            begun = None
    return list(found.values())


def _open_since(
    rule: SpendSpike,
    scope: Scope,
    newest: datetime,
    open_alerts: Mapping[str, Known],
) -> datetime | None:
    """Return the window under which this scope is firing already: the latest that the store knows of."""
    starts: Iterable[datetime] = {known.window for known in open_alerts.values() if known.rule == rule.id}
    mine = [
        start
        for start in starts
        if start <= newest and Key(rule.tenant, rule.id, scope, start, LEVEL).id() in open_alerts
    ]
    return max(mine, default=None)
